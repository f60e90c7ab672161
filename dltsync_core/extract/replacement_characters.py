"""U+FFFD: stored there, or put there by the driver in place of what is no Unicode text?

The driver turns half of a surrogate pair (and a damaged UTF-8 sequence) into U+FFFD without a word. Text that really holds
U+FFFD is common too: something broke it before it reached the database. So they are counted here, and only when there are any
the server is asked how many it holds. As many, and all of them are stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dltsync_core.errors import FidelityError
from dltsync_core.identity import TableName
from dltsync_core.typemap.mapping import ColumnMapping, TableMapping
from dltsync_core.typemap.text import may_be_replaced

REPLACEMENT = "\ufffd"
_FIRST_BYTE = b"\xef"
_NAMED_ROWS = 5
"""Rows with U+FFFD that a message names: one of them may really store it."""


class Replacements:
    """Counts U+FFFD over the batches of one extraction. Used in the reader's thread, asked when that has ended."""

    def __init__(self, mapping: TableMapping) -> None:
        self._columns = [(position, m) for position, m in enumerate(mapping.columns) if may_be_replaced(m)]
        self._counts: dict[str, int] = {}
        self._rows: dict[str, list[str]] = {}

    def look(self, batch: pa.RecordBatch, row_named: Callable[[int], str]) -> None:
        """Count those of one batch, and remember the first rows of each column that have one."""
        for position, mapping in self._columns:
            values: Any = batch.column(position)
            if not _may_hold_one(values):
                continue
            found = pc.count_substring(values, REPLACEMENT)
            here = pc.sum(found).as_py() or 0
            if not here:
                continue
            self._counts[mapping.name] = self._counts.get(mapping.name, 0) + here
            rows = self._rows.setdefault(mapping.name, [])
            if len(rows) <= _NAMED_ROWS:
                places = pc.indices_nonzero(pc.fill_null(found, 0)).slice(0, _NAMED_ROWS + 1 - len(rows)).to_pylist()
                rows.extend(row_named(int(place)) for place in places)

    @property
    def suspects(self) -> list[ColumnMapping]:
        """The columns in which U+FFFD came, in column order."""
        return [mapping for _, mapping in self._columns if mapping.name in self._counts]

    def compare(self, table: TableName, stored: Sequence[int | None]) -> None:
        """Against what the server counts in the `suspects`. Raises FidelityError when it has fewer than came."""
        for mapping, count in zip(self.suspects, stored, strict=True):
            came = self._counts[mapping.name]
            if came <= (count or 0):
                continue
            raise FidelityError(
                f"{table}: column {mapping.name} holds {came - (count or 0):,} characters that are no Unicode text "
                f"(half of a surrogate pair, or damaged UTF-8), which came as U+FFFD; {_told(self._rows[mapping.name])}",
                remedy=f"correct the text at the source, or {_otherwise(mapping)}",
                table=str(table),
                column=mapping.name,
                row=self._rows[mapping.name][0],
            )


def _otherwise(mapping: ColumnMapping) -> str:
    if mapping.column.type_name == "sql_variant":
        return f"add {mapping.name} to exclude_columns of this table"
    kept = f"column_representation: {{{mapping.name}: bytes}}"
    return f"keep the column as stored: under this table in the config write {kept}"


def _told(rows: Sequence[str]) -> str:
    names = list(dict.fromkeys(rows))
    if len(names) == 1:
        return names[0]
    more = ", and more" if len(rows) > _NAMED_ROWS else ""
    return f"it came in {'; '.join(names[:_NAMED_ROWS])}{more}"


def _may_hold_one(values: Any) -> bool:
    """A look at the bytes of all texts together: 30 times cheaper than counting, and most text has no such byte at all."""
    data = values.buffers()[2]
    return data is not None and bytes(data).find(_FIRST_BYTE) >= 0
