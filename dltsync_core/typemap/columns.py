"""From a table's facts and its config to the columns that are loaded."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from dltsync_core.catalog.facts import ColumnFacts, TableFacts
from dltsync_core.config.processing import RepresentationConfig
from dltsync_core.config.tables import PartitionTableConfig, SCDTableConfig, StaticTableConfig, TableConfig
from dltsync_core.errors import CatalogError, ColumnNotFound, ConfigError, UnsupportedColumn
from dltsync_core.typemap.binary import map_binary
from dltsync_core.typemap.clr import map_clr
from dltsync_core.typemap.datetimes import MICROSECOND_SCALE, map_datetime
from dltsync_core.typemap.documents import map_document
from dltsync_core.typemap.mapping import ColumnMapping, LeftOut, TableMapping
from dltsync_core.typemap.numbers import map_number
from dltsync_core.typemap.representations import representation_for_type
from dltsync_core.typemap.text import map_text
from dltsync_core.typemap.unsupported import reason_left_out, refuse, unsupported_type
from dltsync_core.typemap.variants import map_variant

_FAMILIES = (map_datetime, map_number, map_text, map_binary, map_document, map_variant, map_clr)


def map_columns(facts: TableFacts, table: TableConfig, defaults: RepresentationConfig | None = None) -> TableMapping:
    """The mapping of every column that is loaded, in column order. Pure. `defaults` are the choices for all tables.

    Raises ColumnNotFound for a name that is not there, UnsupportedColumn for a type that has no exact form, ConfigError
    when a column that the table's kind needs is left out or a representation does not fit its type.
    """
    columns, left_out = _selected(facts, table)
    representations = _representations(facts, table, defaults or RepresentationConfig())
    mapped = tuple(_map_column(facts, c, representations.get(c.name)) for c in columns)
    mapping = TableMapping(mapped, tuple(left_out), _configured_key(facts, table))
    _check_needed_columns(facts, table, mapping)
    return mapping


def find_column(facts: TableFacts, name: str, setting: str) -> ColumnFacts:
    """The column of that name. Raises ColumnNotFound with the nearest one and all others; `setting` is the config field with
    the name."""
    column = facts.column(name)
    if column is not None:
        return column
    near = difflib.get_close_matches(name.casefold(), [c.name.casefold() for c in facts.columns], n=1, cutoff=0.6)
    hint = next((c.name for c in facts.columns if near and c.name.casefold() == near[0]), None)
    known = ", ".join(c.name for c in facts.columns)
    raise ColumnNotFound(
        f"{facts.name} has no column {name} (named in {setting})",
        remedy=f"did you mean {hint}? columns: {known}" if hint else f"columns: {known}",
        table=str(facts.name),
        column=name,
    )


def _selected(facts: TableFacts, table: TableConfig) -> tuple[list[ColumnFacts], list[LeftOut]]:
    included = {find_column(facts, name, "include_columns").name for name in table.include_columns or ()}
    excluded = {find_column(facts, name, "exclude_columns").name for name in table.exclude_columns}
    columns: list[ColumnFacts] = []
    left_out: list[LeftOut] = []
    for column in facts.columns:
        reason = _why_left_out(column, included, excluded)
        if reason is None:
            columns.append(column)
        else:
            left_out.append(LeftOut(column.name, reason))
    if not columns:
        raise ConfigError(f"{facts.name}: no column is left to load", remedy="check exclude_columns")
    _check_names_differ(facts, columns)
    return columns, left_out


def _why_left_out(column: ColumnFacts, included: set[str], excluded: set[str]) -> str | None:
    if column.name in excluded:
        return "named in exclude_columns"
    if included:
        return None if column.name in included else "not named in include_columns"
    return reason_left_out(column)


def _check_names_differ(facts: TableFacts, columns: Iterable[ColumnFacts]) -> None:
    folded: dict[str, str] = {}
    for column in columns:
        twin = folded.setdefault(column.name.casefold(), column.name)
        if twin != column.name:
            raise CatalogError(
                f"{facts.name}: columns {twin} and {column.name} differ only in case, which the warehouse cannot distinguish",
                remedy="add one of them to exclude_columns",
            )


def _representations(facts: TableFacts, table: TableConfig, defaults: RepresentationConfig) -> dict[str, str]:
    """In order of precedence: the column's name in the config, its role in the table, its type."""
    chosen = {c.name: kept for c in facts.columns if (kept := representation_for_type(c, defaults)) is not None}
    if isinstance(table, SCDTableConfig):
        start, end = facts.column(table.effective_date_column), facts.column(table.end_date_column)
        if start is not None and start.type_name == "datetime2" and chosen.get(start.name) == "text":
            del chosen[start.name]  # a history needs dates and times
        if end is not None and end.scale > MICROSECOND_SCALE:
            # An open version usually ends in year 9999, which no nanosecond type reaches, often with the type's maximum.
            if end.type_name == "datetime2":
                chosen[end.name] = "open_end"
            elif end.type_name == "datetimeoffset" and chosen.get(end.name) == "utc":
                chosen[end.name] = "utc_open_end"
    for name, representation in table.column_representation.items():
        column = find_column(facts, name, "column_representation")
        _check_partition_boundaries(facts, table, column, representation)
        chosen[column.name] = representation
    return chosen


def _check_partition_boundaries(
    facts: TableFacts, table: TableConfig, column: ColumnFacts, representation: str
) -> None:
    """Raises ConfigError where a stored value may lie on the other side of a partition's boundary than at the source."""
    by = facts.partitioning.column.name if facts.partitioning is not None and table.kind == "partition" else None
    if representation in {"open_end", "utc_open_end"} and column.name == by:
        plain = "microseconds" if representation == "open_end" else "utc"
        raise ConfigError(
            f"{facts.name}: the table is partitioned by {column.name}, which cannot have the representation "
            f"{representation!r}: the stored end may lie on the other side of a boundary",
            remedy=f"write column_representation: {{{column.name}: {plain}}} under this table",
            table=str(facts.name),
            column=column.name,
        )


def _map_column(facts: TableFacts, column: ColumnFacts, representation: str | None) -> ColumnMapping:
    refuse(facts.name, column)
    try:
        for family in _FAMILIES:
            mapping = family(column, representation)
            if mapping is not None:
                return mapping
    except (ConfigError, UnsupportedColumn) as error:
        # The families know columns, not their tables.
        raise type(error)(
            f"{facts.name}: {error.problem}", remedy=error.remedy, table=str(facts.name), column=column.name
        ) from error
    raise unsupported_type(facts.name, column)


def _configured_key(facts: TableFacts, table: TableConfig) -> tuple[str, ...]:
    names: Sequence[str] = ()
    if isinstance(table, SCDTableConfig) and table.business_key_columns:
        names = (*table.business_key_columns, table.effective_date_column)
    elif isinstance(table, StaticTableConfig) and table.key_columns:
        names = table.key_columns
    found = [facts.column(name) for name in names]
    return tuple(column.name for column in found if column is not None)


def _check_needed_columns(facts: TableFacts, table: TableConfig, mapping: TableMapping) -> None:
    for name, setting in needed_columns(facts, table):
        column = find_column(facts, name, setting)
        if mapping.column(column.name) is None:
            raise ConfigError(
                f"{facts.name}: column {column.name} ({setting}) is left out by include_columns or exclude_columns, "
                f"but a {table.kind} table needs it",
                remedy="include it as well",
            )


def needed_columns(facts: TableFacts, table: TableConfig) -> Sequence[tuple[str, str]]:
    """(column, the setting that names it) of every column that a table of this kind needs."""
    needed: list[tuple[str, str]] = []

    def need(names: Iterable[str | None], setting: str) -> None:
        needed.extend((name, setting) for name in names if name is not None)

    if isinstance(table, PartitionTableConfig):
        need([facts.partitioning.column.name if facts.partitioning else None], "the partition column")
    elif isinstance(table, SCDTableConfig):
        need(table.business_key_columns or (), "business_key_columns")
        need([table.last_modified_column], "last_modified_column")
        need([table.is_latest_column], "is_latest_column")
        need([table.effective_date_column], "effective_date_column")
        need([table.end_date_column], "end_date_column")
    elif isinstance(table, StaticTableConfig):
        need(table.key_columns or (), "key_columns")
        need([rule.column for rule in table.quality], "quality")
        if table.load_strategy == "upsert" and not table.key_columns:
            need(facts.primary_key, "the primary key")
    return needed
