"""From partition ranges to a scope of rows in the warehouse, for the types whose order is the same on both sides."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.ranges import PartitionRange
from dltsync_core.warehouse.port import ReplaceScope


def scope_for(column: ColumnFacts, arrow_type: pa.DataType, ranges: Sequence[PartitionRange]) -> ReplaceScope:
    """The rows of `ranges`. Raises CatalogError when the column's type sorts differently in the warehouse."""
    raise NotImplementedError
