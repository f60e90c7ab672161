"""What binding needs to know from outside: the catalogue, the variables, the session; and what it found out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from sqlserver_sandbox.model import SqlError, SqlType
from sqlserver_sandbox.tsql.access import OWNER, Access
from sqlserver_sandbox.tsql.catalogue import Database, Table


@dataclass(frozen=True)
class SystemColumn:
    """A column of a system view."""

    name: str
    type: SqlType
    nullable: bool = True
    variants: tuple[SqlType, ...] = ()
    plain: bool = False
    """All its values are plain ASCII."""


@dataclass(frozen=True)
class SystemView:
    """A system view; `relation` is DuckDB text that has its rows."""

    name: str
    relation: str
    columns: tuple[SystemColumn, ...]


class ApplicationLocks(Protocol):
    """The session's application locks in the current database, as APPLOCK_MODE and APPLOCK_TEST ask for them."""

    def mode(self, principal: str, resource: str, owner: str) -> str:
        """The mode that is held, 'NoLock' for none."""
        ...

    def would_get(self, principal: str, resource: str, mode: str) -> bool: ...


@dataclass(frozen=True)
class SessionFacts:
    """What @@ functions and their kin answer, fixed for one statement."""

    spid: int
    server_name: str
    version_text: str
    product_version: str
    login: str
    trancount: int
    rowcount: int
    error: int
    lock_timeout: int
    options: int
    utc_ticks: int
    """SYSUTCDATETIME() of the statement: 100 ns since 0001-01-01."""
    last_rowversion: int
    min_active_rowversion: int
    identity: int | None
    xact_state: int
    caught: SqlError | None
    """The error of the CATCH block around the statement."""
    application_locks: ApplicationLocks


class Catalogue(Protocol):
    """The databases as the statement sees them."""

    @property
    def current(self) -> Database: ...

    def databases(self) -> tuple[Database, ...]: ...

    def database(self, name: str) -> Database | None: ...

    def system_view(self, database: Database, schema: str, name: str) -> SystemView | None:
        """The view, its rows made ready for the statement."""
        ...


@dataclass(frozen=True)
class VariableValue:
    """A variable or parameter: declared type and storage value."""

    type: SqlType
    value: object


@dataclass
class Context:
    """One statement's binding. `read` collects the tables it touches; `asked_session` says whether it asked for `facts`."""

    catalogue: Catalogue
    variables: Mapping[str, VariableValue]
    session_facts: SessionFacts
    access: Access = OWNER
    read: set[tuple[int, int]] = field(default_factory=set)
    counter: int = 0
    asked_session: bool = False

    @property
    def facts(self) -> SessionFacts:
        self.asked_session = True
        return self.session_facts

    @property
    def database(self) -> Database:
        return self.catalogue.current

    def alias(self) -> str:
        """A DuckDB name not used before in this statement."""
        self.counter += 1
        return f"s{self.counter}"

    def touch(self, database: Database, table: Table, line: int = 1) -> None:
        """The statement reads the table. Raises 229 and 916."""
        self.access.check_table(database, table, "SELECT", line)
        self.read.add((database.database_id, table.object_id))
