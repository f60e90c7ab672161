"""The size of the crash matrix in pytest's summary. A plugin, because the tests may run in other processes than the summary."""

from __future__ import annotations

from typing import Any

import pytest

CELLS = "crash_cells"
"""The property under which a test of the matrix records how often it stopped a process."""


def pytest_terminal_summary(terminalreporter: Any) -> None:
    sizes: list[tuple[str, str, int, int, frozenset[str]]] = []
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport) and report.when == "call":
                sizes += [value for name, value in report.user_properties if name == CELLS]  # type: ignore[misc]
    if sizes:
        steps = {step for *_, some in sizes for step in some}
        kinds, warehouses = {kind for kind, *_ in sizes}, {warehouse for _, warehouse, *_ in sizes}
        whole = {(kind, warehouse): size for kind, warehouse, _, size, _ in sizes}
        terminalreporter.write_line(
            f"crash matrix: {sum(cells for _, _, cells, _, _ in sizes)} processes stopped and run again, at {len(steps)} steps "
            f"of {len(kinds)} ways to load into {len(warehouses)} warehouses; at every single time, and twice, it would be "
            f"{sum(whole.values())} (make test-crash)"
        )
