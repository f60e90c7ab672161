"""What the files of one load say of their own columns, without their rows being read: exact sums and NULLs. And the
sums as they are made while rows are written: whole numbers of the last digit, nothing is rounded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Context

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dltsync_core.lake.footer import footer_from
from dltsync_core.typemap.column_stats import plain


@dataclass(frozen=True)
class Tally:
    """`sums` of decimal columns as text with the column's scale, `nulls` by column; what not every file says is not in it."""

    rows: int
    sums: Mapping[str, str]
    nulls: Mapping[str, int]


def tally_of(files: Iterable[tuple[str, pq.FileMetaData]]) -> Tally:
    """The tally of files, given with their addresses. Raises LakeError for one that is not ours."""
    rows = 0
    units: dict[str, int] = defaultdict(int)
    scales: dict[str, int] = {}
    nulls: dict[str, int] = defaultdict(int)
    unknown: set[str] = set()
    for address, metadata in files:
        rows += metadata.num_rows
        for name, text in footer_from(metadata.metadata, path=address).decimal_sums.items():
            scales[name] = len(text.partition(".")[2])
            units[name] += int(text.replace(".", ""))
        for name, count in _nulls(metadata):
            if count is None:
                unknown.add(name)
            nulls[name] += count or 0
    return Tally(
        rows,
        {name: plain(units[name], scale) for name, scale in scales.items()},
        {name: count for name, count in nulls.items() if name not in unknown},
    )


def _nulls(metadata: pq.FileMetaData) -> Iterable[tuple[str, int | None]]:
    for group in range(metadata.num_row_groups):
        row_group = metadata.row_group(group)
        for position in range(metadata.num_columns):
            column = row_group.column(position)
            yield column.path_in_schema, None if column.statistics is None else column.statistics.null_count


_WIDE = 76
"""decimal256: a sum needs at most the column's 38 digits plus those of the row count, so this cannot overflow."""

_EXACT = Context(prec=2 * _WIDE)


class DecimalSums:
    """Running sums of the decimal columns of one schema. NULLs do not count."""

    def __init__(self, schema: pa.Schema) -> None:
        self._scales = {f.name: f.type.scale for f in schema if pa.types.is_decimal(f.type)}
        self._units = dict.fromkeys(self._scales, 0)

    def add(self, rows: pa.Table) -> None:
        for name, scale in self._scales.items():
            total = pc.sum(rows.column(name).cast(pa.decimal256(_WIDE, scale))).as_py()
            if total is not None:
                self._units[name] += int(_EXACT.scaleb(total, scale))

    def texts(self) -> Mapping[str, str]:
        """Each sum as plain digits with the column's scale, for instance `-12.5000`."""
        return {name: plain(units, self._scales[name]) for name, units in self._units.items()}
