"""Detects U+FFFD that the driver put in place of invalid Unicode text.

The driver replaces half of a surrogate pair (and a damaged UTF-8 sequence) with U+FFFD, without an error. Text that really
stores U+FFFD is common too: it was broken before it reached the database. So U+FFFD is counted here, and only when there is any,
a query counts how many the server stores. Equal numbers mean that all of them are stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dltsync_core.errors import FidelityError
from dltsync_core.identity import TableName
from dltsync_core.typemap.mapping import ColumnMapping, TableMapping
from dltsync_core.typemap.text import may_contain_replacement

REPLACEMENT = "\ufffd"
_FIRST_BYTE = b"\xef"
_NAMED_ROWS = 5
"""Rows with U+FFFD that a message names: one of them may really store it."""


class Replacements:
    """Counts U+FFFD over the batches of one extraction. Filled in the reader's thread, read after it has ended."""

    def __init__(self, mapping: TableMapping) -> None:
        self._columns = [(position, m) for position, m in enumerate(mapping.columns) if may_contain_replacement(m)]
        self._counts: dict[str, int] = {}
        self._rows: dict[str, list[str]] = {}

    def count_in(self, batch: pa.RecordBatch, row_named: Callable[[int], str]) -> None:
        """Count those of one batch, and record the first rows of each column that has one."""
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
                positions = pc.indices_nonzero(pc.fill_null(found, 0)).slice(0, _NAMED_ROWS + 1 - len(rows)).to_pylist()
                rows.extend(row_named(int(position_in_batch)) for position_in_batch in positions)

    @property
    def columns_found(self) -> list[ColumnMapping]:
        """The columns with U+FFFD, in column order."""
        return [mapping for _, mapping in self._columns if mapping.name in self._counts]

    def compare(self, table: TableName, stored: Sequence[int | None]) -> None:
        """Compare with the counts of the server for `columns_found`. Raises FidelityError when it stores fewer than were
        received."""
        for mapping, count in zip(self.columns_found, stored, strict=True):
            received = self._counts[mapping.name]
            if received <= (count or 0):
                continue
            raise FidelityError(
                f"{table}: column {mapping.name} holds {received - (count or 0):,} characters that are not Unicode text "
                f"(half of a surrogate pair, or damaged UTF-8), received as U+FFFD; {_rows_text(self._rows[mapping.name])}",
                remedy=f"correct the text at the source, or {_otherwise(mapping)}",
                table=str(table),
                column=mapping.name,
                row=self._rows[mapping.name][0],
            )


def _otherwise(mapping: ColumnMapping) -> str:
    if mapping.column.type_name == "sql_variant":
        return f"add {mapping.name} to exclude_columns of this table"
    setting = f"column_representation: {{{mapping.name}: bytes}}"
    return f"load the column as stored: under this table in the config write {setting}"


def _rows_text(rows: Sequence[str]) -> str:
    names = list(dict.fromkeys(rows))
    if len(names) == 1:
        return names[0]
    more = ", and more" if len(rows) > _NAMED_ROWS else ""
    return f"it is in {'; '.join(names[:_NAMED_ROWS])}{more}"


def _may_hold_one(values: Any) -> bool:
    """Searches the bytes of all texts together: 30 times cheaper than counting, and most text has no such byte at all."""
    data = values.buffers()[2]
    return data is not None and bytes(data).find(_FIRST_BYTE) >= 0
