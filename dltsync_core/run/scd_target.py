"""From what a caller names to the history of an scd table in the warehouse."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dltsync_core.catalog.facts import TableFacts
from dltsync_core.config import PipelineConfig, SCDTableConfig
from dltsync_core.errors import ConfigError, SyncError, WarehouseError
from dltsync_core.history.collation import CollationRule
from dltsync_core.history.handler import ScdTarget
from dltsync_core.history.versions import VersionColumns
from dltsync_core.identity import dotted
from dltsync_core.plan.keys import business_keys
from dltsync_core.plan.selection import find_table
from dltsync_core.run.ports import Source
from dltsync_core.warehouse.port import Warehouse

_TEXT = "VARCHAR"


def scd_target(config: PipelineConfig, source: Source, warehouse: Warehouse, table: Any) -> ScdTarget:
    """The table in the warehouse and the columns of its history, in the warehouse's spelling.

    The source is asked when the business keys are not configured, or are text: its collation says which spellings are one. A
    source that cannot be asked leaves the collation of configured keys unknown, and a note: a history can be mended without.
    Raises ConfigError, WarehouseError (nothing loaded yet, or a column is not there) and, for keys that are not configured,
    what the source raises.
    """
    if isinstance(table, str):
        table = find_table(config.tables, table)
    if not isinstance(table, SCDTableConfig):
        raise ConfigError(
            f"{getattr(table, 'name', table)} is not configured as scd: it has no history",
            remedy="name a table of scd_tables",
        )
    facts = None
    keys = table.business_key_columns
    if keys is None:
        facts = source.read_tables([table])[table.name]
        keys = business_keys(facts, table)
    target = config.target_of(table)
    types = warehouse.columns(target)
    known = {name.casefold(): name for name in types}
    if not known:
        raise WarehouseError(f"the warehouse has no table {dotted(*target)} yet", remedy=f"load {table.name} first")
    names = _spelt(known, target, keys)
    spellings, notes = _spellings(source, table, facts, {name: types[name] for name in names})
    columns = VersionColumns(
        business_keys=tuple(names),
        effective_date=_spelt(known, target, [table.effective_date_column])[0],
        end_date=_spelt(known, target, [table.end_date_column])[0],
        is_latest=_spelt(known, target, [table.is_latest_column])[0],
        spellings=spellings,
    )
    return ScdTarget(table.name, target, columns, notes)


def _spellings(
    source: Source, table: SCDTableConfig, facts: TableFacts | None, keys: Mapping[str, str]
) -> tuple[tuple[CollationRule | None, ...], tuple[str, ...]]:
    """How the source compares each key (by name, with its type in the warehouse), and notes on what is not known."""
    texts = [name for name, kind in keys.items() if kind == _TEXT]
    notes: list[str] = []
    if texts and facts is None:
        try:
            facts = source.read_tables([table])[table.name]
        except SyncError as problem:
            notes.append(
                f"the collation of {', '.join(texts)} is not known, because the source could not be asked "
                f"({type(problem).__name__}: {problem}); keys that may be one under some collation are left alone"
            )
    found = [_spelling(facts, name, kind) for name, kind in keys.items()]
    return tuple(found), tuple(notes)


def _spelling(facts: TableFacts | None, name: str, kind: str) -> CollationRule | None:
    """None for what is no text at the source, whatever it is in the warehouse."""
    if kind != _TEXT:
        return None
    if facts is None:
        return CollationRule(None)
    column = facts.column(name)
    if column is None:
        return CollationRule(None)
    return CollationRule(column.collation, column.type_name.startswith("n")) if column.collation else None


def _spelt(known: dict[str, str], target: tuple[str, str], names: Iterable[str]) -> list[str]:
    missing = [name for name in names if name.casefold() not in known]
    if missing:
        raise WarehouseError(
            f"the warehouse table {dotted(*target)} has no column {missing[0]!r}",
            remedy="check the column names of the scd table in the config",
        )
    return [known[name.casefold()] for name in names]
