"""What a caller asks of one run: which of the configured tables, by name, kind and partition key, and how.

A name that is not there is an error that proposes the nearest one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from dltsync_core.catalog.facts import PartitioningFacts
from dltsync_core.clock import utc_now
from dltsync_core.committed import TableKind
from dltsync_core.config import PipelineConfig, TableConfig
from dltsync_core.config.error_messages import nearest
from dltsync_core.errors import ConfigError
from dltsync_core.identity import TableName, dotted, parsed_name

KINDS: tuple[str, ...] = get_args(TableKind)


def find_table(tables: Sequence[TableConfig], name: str) -> TableConfig:
    """The configured table called `name`: `schema.table`, or the table alone when only one schema has it; case is ignored. A
    name with a dot or a bracket in it stands in brackets: `[a.b].[c]` (`identity.dotted`).

    Raises ConfigError for an unknown or ambiguous name.
    """
    found = _named(tables, name)
    if len(found) == 1:
        return found[0]
    if found:
        choices = ", ".join(str(t.name) for t in found)
        raise ConfigError(f"{name!r} could be any of {choices}", remedy="write schema.table")
    known = [str(t.name) for t in tables]
    unquoted = [str(t.name) for t in tables if name.strip().casefold() in _unquoted(t)]
    hint = unquoted[0] if unquoted else nearest(name, [*known, *(dotted(t.table_name) for t in tables)])
    remedy = f"did you mean {hint}?" if hint else f"configured tables: {', '.join(sorted(known))}"
    raise ConfigError(f"no table {name!r} in the config", remedy=remedy)


def _named(tables: Sequence[TableConfig], name: str) -> list[TableConfig]:
    parsed = parsed_name(name)
    if parsed is None:
        return []
    schema, table = parsed
    if schema is None:
        return [t for t in tables if t.table_name.casefold() == table.casefold()]
    wanted = TableName(schema, table)
    return [t for t in tables if t.name == wanted] or [t for t in tables if t.name.folded == wanted.folded]


def _unquoted(table: TableConfig) -> tuple[str, str]:
    """What somebody may have written who does not know that the name needs brackets."""
    return f"{table.schema_name}.{table.table_name}".casefold(), table.table_name.casefold()


def select_tables(
    tables: Sequence[TableConfig], *, kinds: Iterable[str] | None = None, names: Iterable[str] | None = None
) -> tuple[TableConfig, ...]:
    """The tables of these kinds and these names (None: any), in the config's order. Raises ConfigError for a kind or a name
    that is unknown, and when nothing is left."""
    chosen = list(tables)
    if kinds is not None:
        wanted = {_kind(kind) for kind in kinds}
        chosen = [t for t in chosen if t.kind in wanted]
    if names is not None:
        named = [find_table(tables, name) for name in names]
        chosen = [t for t in chosen if any(t is n for n in named)]
    if not chosen:
        raise ConfigError("no configured table is of these kinds and names", remedy="leave out one of the two filters")
    return tuple(chosen)


def check_partitions(keys: Iterable[str], partitionings: Iterable[PartitioningFacts | None]) -> frozenset[str]:
    """The keys as a set. Raises ConfigError when one of them is a partition of no selected table, or is out of retention."""
    there = [partitioning for partitioning in partitionings if partitioning is not None]
    known = [slot.range.key for partitioning in there for slot in partitioning.slots]
    beyond = {slot.range.key for partitioning in there for slot in partitioning.out_of_retention}
    return check_partition_keys(keys, known, beyond=beyond)


def check_partition_keys(keys: Iterable[str], known: Iterable[str], *, beyond: Collection[str] = ()) -> frozenset[str]:
    """As `check_partitions`, from the keys of all tables; those `beyond` are out of retention."""
    available = list(dict.fromkeys(known))
    wanted = frozenset(keys)
    if not wanted:
        raise ConfigError("the list of partitions is empty", remedy="leave it out to mean all partitions")
    for key in sorted(wanted - set(available)):
        if key in beyond:
            raise ConfigError(
                f"partition {key!r} is out of the retention of its table: it is not read, and the warehouse does not hold it",
                remedy="choose a partition within the retention, or set the table's retention wider",
                partition=key,
            )
        hint = nearest(key, available)
        remedy = f"did you mean {hint}?" if hint else f"partitions now: {_some(available)}"
        raise ConfigError(f"no selected table has a partition {key!r}", remedy=remedy, partition=key)
    return wanted


def _kind(kind: str) -> str:
    folded = kind.strip().casefold()
    if folded not in KINDS:
        raise ConfigError(f"no table kind {kind!r}", remedy=f"kinds are {', '.join(KINDS)}")
    return folded


def _some(keys: Sequence[str]) -> str:
    shown = ", ".join(keys[:5])
    return (f"{shown} and {len(keys) - 5} more" if len(keys) > 5 else shown) or "none"


@dataclass(frozen=True)
class RunOptions:
    """`full_refresh` forgets what was committed; `force` loads units that did not change; `heal` loads again what the lake or
    the warehouse lost (otherwise that is an error); `compare` looks at lake and warehouse at all. `partition_keys` limits
    partition tables to these units (None: all). `repair_state` puts right in ledger and lake what needs no reading.
    `accepted_drift` names tables whose changed shape a person agrees to. `now` is the moment of planning, in UTC.
    """

    now: datetime
    full_refresh: bool = False
    force: bool = False
    heal: bool = True
    compare: bool = True
    repair_state: bool = False
    partition_keys: frozenset[str] | None = None
    accepted_drift: frozenset[TableName] = frozenset()


def options_of(
    config: PipelineConfig,
    *,
    full_refresh: bool = False,
    force: bool = False,
    repair_state: bool = False,
    accept_drift: Sequence[str] = (),
) -> RunOptions:
    """What a run that begins now does. `accept_drift` are names of tables. Raises ConfigError for one that is not there."""
    return RunOptions(
        now=utc_now(),
        full_refresh=full_refresh,
        force=force,
        heal=config.state.enable_self_healing,
        compare=config.state.validate_state_consistency,
        repair_state=repair_state,
        accepted_drift=frozenset(find_table(config.tables, name).name for name in accept_drift),
    )
