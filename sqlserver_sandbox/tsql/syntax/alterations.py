"""Syntax values of statements that alter what is there: SWITCH, constraints on and off, indexes, statistics, IDENTITY_INSERT."""

from __future__ import annotations

from dataclasses import dataclass

from sqlserver_sandbox.tsql.syntax.definitions import Compression
from sqlserver_sandbox.tsql.syntax.queries import Expression, ObjectName


@dataclass(frozen=True)
class AlterTableSwitch:
    """ALTER TABLE source SWITCH [PARTITION n] TO target [PARTITION m].

    `low_priority_minutes` is MAX_DURATION of WAIT_AT_LOW_PRIORITY, None without it; `abort_after_wait` is NONE, SELF or BLOCKERS.
    """

    source: ObjectName
    target: ObjectName
    source_partition: Expression | None = None
    target_partition: Expression | None = None
    low_priority_minutes: int | None = None
    abort_after_wait: str = "NONE"
    line: int = 1


@dataclass(frozen=True)
class AlterTableCheck:
    """[WITH CHECK | WITH NOCHECK] CHECK | NOCHECK CONSTRAINT names; no names for ALL.

    `enable` is CHECK. `check_rows` is WITH CHECK: the constraint is trusted again once the rows there keep it.
    """

    name: ObjectName
    enable: bool
    check_rows: bool
    constraints: tuple[str, ...] = ()
    line: int = 1


@dataclass(frozen=True)
class AlterTableRebuild:
    """REBUILD [PARTITION = n | ALL] WITH (DATA_COMPRESSION = …)."""

    name: ObjectName
    partition: int | None
    compression: tuple[Compression, ...]
    line: int = 1


@dataclass(frozen=True)
class AlterIndex:
    """ALTER INDEX name | ALL ON table: `action` is REBUILD, REORGANIZE or DISABLE; `name` is None for ALL."""

    table: ObjectName
    name: str | None
    action: str
    partition: int | None = None
    compression: tuple[Compression, ...] = ()
    line: int = 1


@dataclass(frozen=True)
class UpdateStatistics:
    table: ObjectName
    line: int = 1


@dataclass(frozen=True)
class CheckIdentity:
    """DBCC CHECKIDENT (table [, NORESEED | RESEED [, value]]). Without a word it is RESEED."""

    table: ObjectName
    reseeds: bool
    value: int | None = None
    line: int = 1


@dataclass(frozen=True)
class SetIdentityInsert:
    table: ObjectName
    on: bool
    line: int = 1
