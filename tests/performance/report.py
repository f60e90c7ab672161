"""What the benchmarks found, as the table of docs/performance.md."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.performance.measure import Cost


@dataclass(frozen=True)
class Line:
    """One measured side. `ratio` is what it costs, divided by what the baseline of its section costs in the same run."""

    section: str
    name: str
    cpu: float
    ratio: float | None
    peak_mb: float | None = None
    remark: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        ratio = "1" if self.ratio is None else f"{self.ratio:.2f}"
        peak = "" if self.peak_mb is None else f"{self.peak_mb:,.0f}"
        return self.name, f"{self.cpu:.2f}", ratio, peak, self.remark


@dataclass
class Report:
    """All lines of one run of the benchmarks, and the sides that could not run, with the reason."""

    lines: list[Line] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def add(self, section: str, name: str, cost: Cost, baseline: Cost | None = None, remark: str = "") -> float:
        """A side beside its baseline (None: it is the baseline). The ratio of their processor time."""
        ratio = None if baseline is None else cost.cpu / max(baseline.cpu, 0.001)
        self.lines.append(Line(section, name, cost.cpu, ratio, cost.peak_mb, remark))
        return 1.0 if ratio is None else ratio

    def markdown(self) -> str:
        """A table for each section, in the order in which they were measured."""
        return "\n\n".join(
            f"**{section}**\n\n{_table(line.cells for line in self.lines if line.section == section)}"
            for section in dict.fromkeys(line.section for line in self.lines)
        )


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    head = "| | CPU s | ratio | peak MB | |\n| --- | ---: | ---: | ---: | --- |"
    return "\n".join([head, *(f"| {' | '.join(cells)} |" for cells in rows)])
