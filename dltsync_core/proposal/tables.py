"""From what the catalogue says of a table to an entry of the config, with the reasons. Pure.

A proposal is built as a config entry and checked by the same functions that a run uses, so that whatever is proposed can be
planned. A column without an exact form is left out by name; a table that no kind fits is left out with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dltsync_core.catalog.facts import ColumnFacts, TableFacts
from dltsync_core.committed import TableKind
from dltsync_core.config import PartitionTableConfig, SCDTableConfig, StaticTableConfig, TableConfig
from dltsync_core.display import number_of
from dltsync_core.duckdb.partition_scope import scope_for
from dltsync_core.errors import CatalogError, ConfigError, SyncError, UnsupportedColumn
from dltsync_core.identity import TableName
from dltsync_core.plan.keys import keys_of
from dltsync_core.typemap import map_columns

LARGE_TABLE_ROWS = 5_000_000
"""From here on the hash of a static table is worth a remark: the server reads every row to compute it."""

_LATEST = ("islatest", "iscurrent", "iscurrentrow", "currentflag", "latestflag", "iscurrentversion")
_EFFECTIVE = (
    "effectivedate",
    "effectivefrom",
    "validfrom",
    "startdate",
    "rowstart",
    "rowstartdate",
    "fromdate",
    "versionstart",
)
_END = (
    "enddate",
    "effectiveto",
    "expirydate",
    "expirationdate",
    "validto",
    "rowend",
    "rowenddate",
    "todate",
    "versionend",
)
_MODIFIED = (
    "lastmodified", "lastmodifieddate", "lastupdated", "lastupdate", "modifieddate", "modifiedat", "modifiedon", "modified",
    "updatedat", "updatedon", "updateddate", "updatedate", "changedat", "changedate", "changedon", "changed",
)  # fmt: skip
"""Names of columns without `_` and case, the likeliest first."""

_DATES = frozenset({"date", "smalldatetime", "datetime", "datetime2", "datetimeoffset"})


@dataclass(frozen=True)
class TableProposal:
    """One table of the database. `kind` None: no kind fits, and `reason` says why. `entry` is the entry in the config
    without the table's name; `remarks` are sentences for comments beside it."""

    table: TableName
    kind: TableKind | None
    reason: str
    approx_rows: int = 0
    entry: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def propose(facts: TableFacts) -> TableProposal:
    """The kind of table that fits, and its settings."""
    if facts.has_row_filter:
        return TableProposal(
            facts.name,
            None,
            "row-level security filters its rows for this login, so that a load would not be whole",
            facts.approx_rows,
        )
    if facts.hides_row_filters:
        return TableProposal(
            facts.name,
            None,
            "this login does not see security policies, which may hide rows: an administrator runs GRANT VIEW DEFINITION TO its "
            "user",
            facts.approx_rows,
        )
    refused: list[str] = []
    for kind, entry, reason in _candidates(facts, refused):
        try:
            return _checked(facts, kind, entry, reason, refused)
        except (CatalogError, ConfigError, UnsupportedColumn) as error:
            refused.append(f"not {_with_article(kind)} table: {_own_sentence(facts, error)}")
    return TableProposal(facts.name, None, "; ".join(refused), facts.approx_rows)


def left_out(table: TableName, error: SyncError) -> TableProposal:
    """The proposal for a table that cannot be read."""
    return TableProposal(table, None, error.problem.removeprefix(f"{table}: "))


def _candidates(facts: TableFacts, refused: list[str]) -> Iterable[tuple[TableKind, dict[str, Any], str]]:
    """Kinds with their settings, the best first."""
    if facts.partitioning is not None:
        slots = len(facts.partitioning.slots)
        yield "partition", {}, f"partitioned by {facts.partitioning.column.name}, {number_of(slots, 'partition')}"
    versions = _versions(facts)
    if versions is not None:
        yield "scd", versions, f"holds versions: {versions['effective_date_column']} to {versions['end_date_column']}"
    yield "static", {}, "no partition function" if facts.partitioning is None else "loaded whole when its hash changes"


def _versions(facts: TableFacts) -> dict[str, Any] | None:
    """The settings of an scd table; None when one of its columns is not to be found."""
    latest = _named(
        facts, _LATEST, frozenset({"bit", "tinyint", "char", "varchar", "nchar", "nvarchar", "int", "smallint"})
    )
    effective, end = _named(facts, _EFFECTIVE, _DATES), _named(facts, _END, _DATES)
    stamps = [column for column in facts.columns if column.type_name == "rowversion"]
    modified = stamps[0] if stamps else _named(facts, _MODIFIED, _DATES)
    if latest is None or effective is None or end is None or modified is None:
        return None
    return {
        "last_modified_column": modified.name,
        "is_latest_column": latest.name,
        "effective_date_column": effective.name,
        "end_date_column": end.name,
    }


def _named(facts: TableFacts, names: Sequence[str], types: frozenset[str]) -> ColumnFacts | None:
    by_name = {column.name.casefold().replace("_", ""): column for column in facts.columns if column.type_name in types}
    return next((by_name[name] for name in names if name in by_name), None)


def _checked(
    facts: TableFacts, kind: TableKind, entry: dict[str, Any], reason: str, refused: Sequence[str]
) -> TableProposal:
    """The proposal, with columns left out that have no exact form. Raises what a plan would raise."""
    remarks: list[str] = [*refused]
    excluded: list[str] = []
    while True:
        table = _config(facts.name, kind, {**entry, "exclude_columns": excluded} if excluded else entry)
        try:
            mapping = map_columns(facts, table)
            break
        except UnsupportedColumn as error:
            column = error.facts.get("column")
            if not isinstance(column, str) or column in excluded:
                raise
            excluded.append(column)
            remarks.append(f"{column} is left out: {_own_sentence(facts, error)}")
    keys_of(facts, table)
    if isinstance(table, PartitionTableConfig) and facts.partitioning is not None:
        by = mapping.column(facts.partitioning.column.name)
        if by is None:
            raise ConfigError(
                f"the partition column {facts.partitioning.column.name} has no exact form",
                remedy="load the table as static, or partition it by another column at the source",
            )
        scope_for(by.column, by.field.type, [slot.range for slot in facts.partitioning.slots])
        remarks += _change_detection(facts)
    if kind == "static" and facts.approx_rows >= LARGE_TABLE_ROWS:
        remarks.append(
            f"every check makes the server hash about {facts.approx_rows:,} rows; partition the table at the source when that is "
            "too much"
        )
    settings = {**entry, "exclude_columns": excluded} if excluded else dict(entry)
    return TableProposal(facts.name, kind, reason, facts.approx_rows, settings, tuple(remarks))


def _change_detection(facts: TableFacts) -> list[str]:
    """What decides whether a partition is read, and what would be cheaper."""
    if any(column.type_name == "rowversion" for column in facts.columns):
        return ["changes are found by rowversion"]
    modified = _named(facts, _MODIFIED, _DATES)
    if modified is None:
        return [
            "changes are found by a hash of every row, computed by the server; a rowversion column would be cheaper"
        ]
    cheaper = f"Cheaper, if every change sets it: last_modified_column: {modified.name}"
    return [f"changes are found by a hash of every row, computed by the server. {cheaper}"]


def _config(name: TableName, kind: TableKind, entry: Mapping[str, Any]) -> TableConfig:
    values = {"schema_name": name.schema, "table_name": name.table, **entry}
    if kind == "partition":
        return PartitionTableConfig(**values)
    return SCDTableConfig(**values) if kind == "scd" else StaticTableConfig(**values)


def _own_sentence(facts: TableFacts, error: SyncError) -> str:
    """The problem without the table's name, which stands beside it."""
    return error.problem.removeprefix(f"{facts.name}: ").removeprefix(f"{facts.name}.")


def _with_article(kind: TableKind) -> str:
    return f"an {kind}" if kind == "scd" else f"a {kind}"
