"""Features of tables and columns that the sandbox declares and shows, and heeds in SWITCH and TRUNCATE, but does not perform.

A full-text index indexes nothing here, change tracking tracks nothing: only the catalogue has them, and the rules that ask for
them. `EXEC sandbox_features` sets them; a field's name is its name there.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any


@dataclass(frozen=True)
class TableFeatures:
    """What a table has beside columns, indexes and constraints. The defaults are those of a plain CREATE TABLE."""

    change_tracking: bool = False
    full_text: bool = False
    cdc: bool = False
    cdc_allows_switch: bool = True
    """@allow_partition_switch of sys.sp_cdc_enable_table."""
    change_feed: bool = False
    replicated: bool = False
    merge_published: bool = False
    temporal: str = ""
    """'current' or 'history' of a system-versioned pair."""
    period: bool = False
    """It has PERIOD FOR SYSTEM_TIME."""
    memory_optimized: bool = False
    external: bool = False
    ledger: bool = False
    graph_node: bool = False
    graph_edge: bool = False
    indexed_view: bool = False
    """A schema-bound view on it has an index."""
    xml_index: bool = False
    spatial_index: bool = False
    trigger: bool = False
    security_policy: bool = False
    ansi_nulls: bool = True
    quoted_identifier: bool = True
    text_in_row_limit: int = 0
    large_values_out_of_row: bool = False
    lock_escalation: str = "TABLE"
    """'TABLE', 'DISABLE' or 'AUTO'."""
    denied: str = ""
    """Permissions that HAS_PERMS_BY_NAME denies, with commas. Without ALTER neither SWITCH nor TRUNCATE finds the table."""


@dataclass(frozen=True)
class ColumnFeatures:
    """As `TableFeatures`, for a column."""

    ansi_padded: bool = True
    sparse: bool = False
    column_set: bool = False
    filestream: bool = False
    xml_collection_id: int = 0
    rule_object_id: int = 0
    masked: bool = False
    encryption_type: int = 0
    """1 deterministic, 2 randomized (Always Encrypted)."""


PLAIN_TABLE = TableFeatures()
PLAIN_COLUMN = ColumnFeatures()


def changed_table(features: TableFeatures, given: dict[str, Any]) -> TableFeatures:
    """The features with some of them set. Raises ValueError for one that there is not, or a value of the wrong type."""
    _check(TableFeatures, features, given)
    return replace(features, **given)


def changed_column(features: ColumnFeatures, given: dict[str, Any]) -> ColumnFeatures:
    """As `changed_table`."""
    _check(ColumnFeatures, features, given)
    return replace(features, **given)


def _check(kind: type, features: object, given: dict[str, Any]) -> None:
    known = {f.name for f in fields(kind)}
    for name, value in given.items():
        if name not in known:
            raise ValueError(f"there is no feature '{name}'; there are {', '.join(sorted(known))}")
        if type(value) is not type(getattr(features, name)):
            raise ValueError(f"the feature '{name}' takes a value like {getattr(features, name)!r}")
