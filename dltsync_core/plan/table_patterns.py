"""The tables that the patterns of a config stand for, from the list of tables in the source's catalogue. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dltsync_core.catalog.facts import ListedTable
from dltsync_core.config import PipelineConfig, TableConfig
from dltsync_core.config.tables import PartitionTablePattern, SCDTablePattern, TablePattern
from dltsync_core.errors import ConfigError
from dltsync_core.identity import TableName

_NAMED_IN_A_NOTE = 5


@dataclass(frozen=True)
class MatchedTables:
    """`config` has the tables that were named and those that were matched, and no patterns. `notes` are sentences about patterns
    that fit no table, and tables that fit no kind."""

    config: PipelineConfig
    notes: tuple[str, ...] = ()


def needs_columns(config: PipelineConfig) -> bool:
    """Whether the tables must be listed with the names of their columns."""
    return any(isinstance(pattern, SCDTablePattern) for pattern in config.patterns)


def matched_tables(config: PipelineConfig, listed: Iterable[ListedTable]) -> MatchedTables:
    """A table is taken by the entry that names it, else by the first pattern whose name and kind fit. Raises ConfigError for
    matched tables that are in each other's way, such as two of one target, and when there is none."""
    there = sorted(listed)
    named = {table.name.folded for table in config.tables}
    taken: dict[TableName, TableConfig] = {}
    misfits: dict[TableName, str] = {}
    notes: list[str] = []
    for pattern in config.patterns:
        fitting = [one for one in there if pattern.fits(one.name)]
        if not fitting:
            notes.append(f"{_described(pattern)} fits no table that this login sees")
        for one in fitting:
            if one.name.folded in named or one.name in taken:
                continue
            reason = _misfit(pattern, one)
            if reason is None:
                taken[one.name] = pattern.table(one.name)
            else:
                misfits.setdefault(one.name, f"{reason} ({_described(pattern)})")
    left = [f"{name} {reason}" for name, reason in misfits.items() if name not in taken]
    if left:
        more = f", and {len(left) - _NAMED_IN_A_NOTE:,} more" if len(left) > _NAMED_IN_A_NOTE else ""
        notes.append(f"not loaded, because no pattern of their kind fits: {'; '.join(left[:_NAMED_IN_A_NOTE])}{more}")
    if not config.tables and not taken:
        raise ConfigError(
            "no table is left to load: " + "; ".join(notes), remedy="correct the patterns, or name a table"
        )
    return MatchedTables(config.with_tables([*config.tables, *taken.values()]), tuple(notes))


def _misfit(pattern: TablePattern, table: ListedTable) -> str | None:
    """Why the table is none of the pattern's kind."""
    if isinstance(pattern, PartitionTablePattern) and not table.is_partitioned:
        return "is not on a partition scheme"
    if isinstance(pattern, SCDTablePattern):
        missing = _absent(
            table,
            [
                pattern.last_modified_column,
                pattern.is_latest_column,
                pattern.effective_date_column,
                pattern.end_date_column,
                *(pattern.business_key_columns or ()),
            ],
        )
        if missing:
            return f"has no column {missing[0]}"
    return None


def _absent(table: ListedTable, columns: Sequence[str]) -> list[str]:
    there = {name.casefold() for name in table.columns}
    return [name for name in columns if name.casefold() not in there]


def _described(pattern: TablePattern) -> str:
    return f"match {pattern.match!r} of {pattern.kind}_tables"
