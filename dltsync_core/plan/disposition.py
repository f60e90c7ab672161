"""How the rows of a load enter the warehouse. Values; a warehouse carries them out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import pyarrow as pa

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.ranges import PartitionRange


@dataclass(frozen=True)
class ReplaceScope:
    """The rows of some partitions: they are deleted and the load's rows take their place, in one transaction.

    Made by `duckdb.partition_scope.scope_for`, which refuses columns whose order differs in the warehouse. `arrow_type` is the
    type the partition column has in the lake, hence in the warehouse.
    """

    column: ColumnFacts
    arrow_type: pa.DataType
    ranges: tuple[PartitionRange, ...]


@dataclass(frozen=True)
class MergeKeys:
    """Rows with the same key are replaced, others stay (scd: business keys and effective date)."""

    columns: tuple[str, ...]


@dataclass(frozen=True)
class ReplaceTable:
    """The load becomes the whole table."""


@dataclass(frozen=True)
class UpsertKeys:
    """Rows with the same key are updated, new ones inserted, others stay (static, load_strategy upsert)."""

    columns: tuple[str, ...]


Disposition: TypeAlias = "ReplaceScope | MergeKeys | ReplaceTable | UpsertKeys"
