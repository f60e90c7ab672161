"""Two or three stats of the same rows, compared figure by figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dltsync_core.lake.file_statistics import Tally
from dltsync_core.typemap.column_stats import NULLS, SUM, ColumnStats

PRESENCE = "column"
"""The figure of a column that is missing on a side, or has an unexpected type there."""
FINGERPRINT = "fingerprint"


@dataclass(frozen=True)
class ColumnDifference:
    """A figure of a column that differs. `figure` is nulls, sum, min, max, fingerprint or column. None: that side was not
    compared. The text names the sides of a fingerprint without its digits, which say nothing to a reader."""

    column: str
    figure: str
    source: str | None
    lake: str | None
    warehouse: str | None

    def __str__(self) -> str:
        places = {"source": self.source, "lake": self.lake, "warehouse": self.warehouse}
        if self.figure == FINGERPRINT:
            other = [f"the {place}" for place, value in places.items() if value not in (None, self.source)]
            return f"the rows of {' and '.join(other)} have another fingerprint than the source's"
        said = ", ".join(f"{place} {value}" for place, value in places.items() if value is not None)
        return f"{self.column}: {self.figure} {said}"


@dataclass(frozen=True)
class LoadedFigure:
    """A figure of a column, nulls or sum: from the files of a load, and from the warehouse."""

    column: str
    figure: str
    lake: str
    warehouse: str

    @property
    def equal(self) -> bool:
        return self.lake == self.warehouse

    def __str__(self) -> str:
        return f"{self.column}: {self.figure} lake {self.lake}, warehouse {self.warehouse}"


def column_differences(
    source: ColumnStats, lake: ColumnStats | None, warehouse: ColumnStats | None
) -> tuple[ColumnDifference, ...]:
    """Every figure that differs among the compared sides, in the order of the columns."""
    found: list[ColumnDifference] = []
    for column, figures in source.figures.items():
        asked = (lake, warehouse)
        places = [summary.figures.get(column) if summary is not None else None for summary in asked]
        if any(summary is not None and place is None for summary, place in zip(asked, places, strict=True)):
            shown = [_presence(column, summary) if summary is not None else None for summary in asked]
            found.append(ColumnDifference(column, PRESENCE, _presence(column, source), *shown))
            continue
        for figure, value in figures.items():
            others = [place[figure] for place in places if place is not None]
            if any(other != value for other in others):
                texts = [_text(place[figure]) if place is not None else None for place in places]
                found.append(ColumnDifference(column, figure, _text(value), *texts))
    return tuple(found)


def loaded_figures(lake: Tally, warehouse: ColumnStats, columns: Sequence[str]) -> tuple[LoadedFigure, ...]:
    """Every figure that lake and warehouse both have, in the order of the columns, equal or not."""
    found = []
    for column in columns:
        held = warehouse.figures.get(column, {})
        for figure, said in (
            (NULLS, str(lake.nulls[column]) if column in lake.nulls else None),
            (SUM, lake.sums.get(column)),
        ):
            if said is not None and figure in held:
                found.append(LoadedFigure(column, figure, said, _text(held[figure])))
    return tuple(found)


def as_json(differences: Sequence[ColumnDifference]) -> list[Mapping[str, str | None]]:
    """JSON-ready: [{"column", "figure", "source", "lake", "warehouse"}]."""
    return [
        {"column": d.column, "figure": d.figure, "source": d.source, "lake": d.lake, "warehouse": d.warehouse}
        for d in differences
    ]


def _presence(column: str, place: ColumnStats) -> str:
    if column in place.unexpected_types:
        return f"of type {place.unexpected_types[column]}"
    return "present" if column in place.figures else "missing"


def _text(value: str | None) -> str:
    return "none" if value is None else value
