"""The rows that differ, by key: the side that lacks them, has more of them, or has other values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from dltsync_core.digest.buckets import RowKeySpec
from dltsync_core.display import number_of
from dltsync_core.validate.row_sample import Cell, HeldRow, HeldRows

SOURCE, LAKE, WAREHOUSE = "source", "lake", "warehouse"
OTHERS = (LAKE, WAREHOUSE)

MISSING, BEYOND, COUNT, DIFFERS = "missing", "beyond the source", "count differs", "value differs"
"""The status of a row in a place that is not as the source has it."""


@dataclass(frozen=True)
class CellDifference:
    """A value that differs. `places` are the sides that have the row; None is NULL."""

    column: str
    places: Mapping[str, Cell | None]


@dataclass(frozen=True)
class RowDifference:
    """A row that is not the same everywhere. `key` names it by column (None is NULL); without a key it is the whole row.
    `counts` is how often each place has it. `status` is by place: missing, beyond the source, count differs, value differs."""

    key: Mapping[str, Cell | None]
    counts: Mapping[str, int]
    status: Mapping[str, str]
    cells: tuple[CellDifference, ...] = ()

    @property
    def message(self) -> str:
        """The status in every place as a sentence, without any value."""
        return ", ".join(self._message(place, status) for place, status in self.status.items())

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready. A value that is NULL is null; a side without the row is not among the values."""
        return {
            "key": {name: _shown(cell) for name, cell in self.key.items()},
            "counts": dict(self.counts),
            "status": dict(self.status),
            "message": self.message,
            "values": [
                {"column": cell.column, **{place: _shown(value) for place, value in cell.places.items()}}
                for cell in self.cells
            ],
        }

    def _message(self, place: str, status: str) -> str:
        here, there = self.counts[SOURCE], self.counts[place]
        if status == COUNT:
            return f"{number_of(there, 'time')} in the {place}, {here:,} at the source"
        often = f" ({number_of(there, 'time')} there, {here:,} at the source)" if max(here, there) > 1 else ""
        return f"{status} in the {place}{often}"


def row_differences(held: Mapping[str, HeldRows], keyed: RowKeySpec) -> list[RowDifference]:
    """Every row whose count or values differ from the source, ordered by key."""
    by_key: dict[bytes, dict[str, Counter[bytes]]] = {}
    for place, rows in held.items():
        for digest, row in rows.rows.items():
            by_key.setdefault(row.key, {name: Counter() for name in held})[place][digest] += rows.times[digest]
    known = {digest: row for rows in held.values() for digest, row in rows.rows.items()}
    found = [
        difference
        for counted in by_key.values()
        if any(one != counted[SOURCE] for one in counted.values())
        for difference in _of_key(counted, known, keyed)
    ]
    return sorted(found, key=_order)


def _of_key(
    counted: Mapping[str, Counter[bytes]], known: Mapping[bytes, HeldRow], keyed: RowKeySpec
) -> Iterator[RowDifference]:
    """The differences of one key. A real key has at most one row on each side, or the same one several times."""
    if all(len(rows) <= 1 for rows in counted.values()):
        yield _difference({p: next(iter(rows.items()), None) for p, rows in counted.items()}, known, keyed)
        return
    for place in counted:
        if place == SOURCE:
            continue
        lost, strange = counted[SOURCE] - counted[place], counted[place] - counted[SOURCE]
        order = _by_values(known)
        pairs = zip_longest(sorted(lost.items(), key=order), sorted(strange.items(), key=order))
        for here, there in pairs:
            yield _difference({SOURCE: here, place: there}, known, keyed)


def _difference(
    rows: Mapping[str, tuple[bytes, int] | None], known: Mapping[bytes, HeldRow], keyed: RowKeySpec
) -> RowDifference:
    present = {place: known[row[0]] for place, row in rows.items() if row is not None}
    counts = {place: row[1] if row is not None else 0 for place, row in rows.items()}
    first = next(iter(present.values()))
    status = {
        place: found for place in OTHERS if place in rows and (found := _status(rows[SOURCE], rows[place])) is not None
    }
    cells = (
        CellDifference(column.name, {place: row.cells[position] for place, row in present.items()})
        for position, column in enumerate(keyed.columns)
        if len({row.cells[position] for row in present.values()}) > 1
    )
    key = {keyed.columns[position].name: first.cells[position] for position in keyed.key_positions}
    return RowDifference(key, counts, status, tuple(cells))


def _status(source: tuple[bytes, int] | None, other: tuple[bytes, int] | None) -> str | None:
    if source is None:
        return None if other is None else BEYOND
    if other is None:
        return MISSING
    if source[0] != other[0]:
        return DIFFERS
    return COUNT if source[1] != other[1] else None


def _by_values(known: Mapping[bytes, HeldRow]) -> Any:
    return lambda item: [_sortable(cell) for cell in known[item[0]].cells]


def _order(difference: RowDifference) -> list[tuple[int, str]]:
    return [_sortable(cell) for cell in difference.key.values()]


def _sortable(cell: Cell | None) -> tuple[int, str]:
    """NULL first, then by length: which puts whole numbers in their order."""
    return (-1, "") if cell is None else (cell.characters, cell.text)


def _shown(cell: Cell | None) -> str | None:
    return cell.shown if cell is not None else None
