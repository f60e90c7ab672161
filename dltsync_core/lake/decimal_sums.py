"""Exact sums of decimal columns while rows stream by. Nothing is rounded: sums are whole numbers of the last digit."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Context

import pyarrow as pa
import pyarrow.compute as pc

from dltsync_core.typemap.column_stats import plain

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
