"""Which columns tell rows apart: the version key of an scd table, the merge key of an upsert, what names a row to a person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dltsync_core.catalog.facts import TableFacts
from dltsync_core.config import SCDTableConfig, StaticTableConfig, TableConfig
from dltsync_core.errors import ConfigError
from dltsync_core.typemap.columns import find_column


def keys_of(facts: TableFacts, table: TableConfig) -> tuple[str, ...]:
    """The columns rows are merged by in the warehouse, in the catalogue's spelling; none for tables that are not merged.

    Raises ConfigError when they cannot be found out, ColumnNotFound when the config names one that is not there.
    """
    if isinstance(table, SCDTableConfig):
        effective = _spelt(facts, [table.effective_date_column], "effective_date_column")
        return (*business_keys(facts, table), *effective)
    if isinstance(table, StaticTableConfig) and table.load_strategy == "upsert":
        return _upsert_keys(facts, table)
    return ()


def key_setting(table: TableConfig) -> str:
    """The field of the config that names the key rows are merged by."""
    return "business_key_columns" if isinstance(table, SCDTableConfig) else "key_columns"


def naming_key(facts: TableFacts, merged_by: Sequence[str], available: Iterable[str]) -> tuple[str, ...]:
    """The columns that name a row: those it is merged by, else the primary key, else the shortest unique key, of which every
    column is `available`; none when there is no such key."""
    there = {name.casefold() for name in available}
    candidates = (tuple(merged_by), facts.primary_key, *sorted(facts.unique_keys, key=lambda key: (len(key), key)))
    return next((key for key in candidates if key and all(name.casefold() in there for name in key)), ())


def stamped_columns(facts: TableFacts, table: SCDTableConfig) -> tuple[str, ...]:
    """What tells versions apart and when each was changed: the version key, then the change column. Raises as `keys_of` does."""
    (modified,) = _spelt(facts, [table.last_modified_column], "last_modified_column")
    return (*(name for name in keys_of(facts, table) if name != modified), modified)


def row_key(facts: TableFacts) -> tuple[str, ...]:
    """The columns that tell one row of a table from another: the primary key, else the shortest unique key; none without."""
    return naming_key(facts, (), [column.name for column in facts.columns])


def business_keys(facts: TableFacts, table: SCDTableConfig) -> tuple[str, ...]:
    """What identifies the thing a version is about: as configured, else from the catalogue.

    Found from the narrowest unique key that contains the effective date, else from the primary key when it is no identity
    column: a number given to each version says nothing about what the version is of.
    """
    if table.business_key_columns is not None:
        return _spelt(facts, table.business_key_columns, "business_key_columns")
    effective = table.effective_date_column.casefold()
    candidates = [
        rest
        for key in facts.unique_keys
        if any(c.casefold() == effective for c in key) and (rest := _without(key, effective))
    ]
    if candidates:
        return min(candidates, key=lambda rest: (len(rest), rest))
    rest = _without(facts.primary_key, effective)
    if rest and not all(_is_identity(facts, name) for name in rest):
        return rest
    raise ConfigError(
        f"{facts.name}: no unique key contains {table.effective_date_column}, so the business key cannot be found out",
        remedy="name it in business_key_columns",
        table=str(facts.name),
    )


def _upsert_keys(facts: TableFacts, table: StaticTableConfig) -> tuple[str, ...]:
    if table.key_columns is not None:
        return _spelt(facts, table.key_columns, "key_columns")
    if not facts.primary_key:
        raise ConfigError(
            f"{facts.name} has no primary key to upsert by",
            remedy="name key_columns, or use load_strategy replace",
            table=str(facts.name),
        )
    return facts.primary_key


def _spelt(facts: TableFacts, names: Iterable[str], setting: str) -> tuple[str, ...]:
    return tuple(find_column(facts, name, setting).name for name in names)


def _without(key: Sequence[str], folded: str) -> tuple[str, ...]:
    return tuple(name for name in key if name.casefold() != folded)


def _is_identity(facts: TableFacts, name: str) -> bool:
    column = facts.column(name)
    return column is not None and column.is_identity
