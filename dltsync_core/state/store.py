"""Opening the database of the ledger: an SQLite file by default, any SQLAlchemy URL on request; and its clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from dltsync_core import checkpoints
from dltsync_core.clock import iso, utc_now
from dltsync_core.errors import StateError
from dltsync_core.state import server_store as server
from dltsync_core.state import sqlite_store as sqlite
from dltsync_core.state import tables
from dltsync_core.state.ledger_retry import Patience
from dltsync_core.state.store_errors import Explainer, parse_url

T = TypeVar("T")

FILE_NAME = "ledger.db"
BACKUPS = "backups"
"""Where copies of an SQLite ledger are put, below the state directory."""


class Store:
    """The ledger's database. `path` is the SQLite file, None for a server. `described` names it without secrets.

    `writable=False` creates and changes nothing: a ledger that is not there has `exists` False. `patience` is for a database
    that is away for a moment; without it there is none. Raises StateError (damaged, written by a newer program),
    LedgerUnavailable, NotWritable or DiskFull.
    """

    def __init__(
        self, directory: Path, url: str | None = None, *, writable: bool = True, patience: Patience | None = None
    ) -> None:
        file = sa.URL.create("sqlite", database=str(directory / FILE_NAME))
        parsed = file if url is None else parse_url(url)
        self.path = Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None
        self._explained = Explainer(parsed, self.path, backups=directory / BACKUPS)
        self.described = self._explained.described
        self._writable = writable
        self.patience = patience or Patience()
        self._engine: sa.Engine | None = None
        self._kept: sqlite.KeptConnection | None = None
        if writable or self.path is None or self.path.exists():
            self._engine = self.patience.kept(lambda _: self._open(parsed))

    @property
    def exists(self) -> bool:
        """Whether there is anything to read."""
        return self._engine is not None

    def read(self, work: Callable[[sa.Connection], T]) -> T:
        """What `work` finds in a transaction that writes nothing, waited for with patience. Check `exists` first."""

        def attempt(_: bool) -> T:
            with self.reading() as connection:
                return work(connection)

        return self.patience.kept(attempt)

    def write(self, work: Callable[[sa.Connection], T], *, patient: bool = True) -> T:
        """What `work` makes of a transaction that commits at its end, whole or not at all. For what may be written twice only: it
        is tried again while the database is away, also when a commit was not answered."""

        def attempt(_: bool) -> T:
            with self.writing() as connection:
                return work(connection)

        return self.patience.kept(attempt) if patient else attempt(False)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that writes nothing. Check `exists` first."""
        with self._explained(), self._transaction(self._require(self._engine), writes=False) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that commits at the end of the block, whole or not at all."""
        with (
            self._explained(),
            self._transaction(self._require(self._engine, self._writable), writes=True) as connection,
        ):
            yield connection
            checkpoints.reached(checkpoints.LEDGER_WRITING)
        checkpoints.reached(checkpoints.LEDGER_WRITTEN)

    def _transaction(self, engine: sa.Engine, *, writes: bool) -> AbstractContextManager[sa.Connection]:
        if self._kept is not None and self._kept.is_ours:
            return self._kept.transaction(writes=writes)
        return _transaction(engine, writes=writes)

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """For the block, which writes often, the transactions of an SQLite file use one connection, one after another. A server's
        connections are kept anyway."""
        if self.path is None or not self._writable or self._kept is not None:
            yield
            return
        kept = self._kept = self.patience.kept(self._connect_to_keep)
        try:
            yield
        finally:
            self._kept = None
            with self._explained():
                kept.close()

    def _connect_to_keep(self, _: bool) -> sqlite.KeptConnection:
        with self._explained():
            return sqlite.KeptConnection(self._require(self._engine))

    def copy_to(self, target: Path) -> None:
        """A consistent copy of an SQLite ledger, which may be in use meanwhile. Raises NotWritable, DiskFull, StateError."""
        path = self.path
        if path is None:
            raise StateError(
                f"the ledger {self.described} is on a server: dltsync makes no copies of it",
                remedy="back it up with that server's own means",
            )
        self.patience.kept(lambda _: self._copy(path, target))

    def _copy(self, path: Path, target: Path) -> None:
        with self._explained():
            sqlite.copy_to(path, target)

    def close(self) -> None:
        """Let go of the connections; SQLite's side files go with the last one."""
        if self._engine is not None:
            self._engine.dispose()

    def _require(self, engine: sa.Engine | None, allowed: bool = True) -> sa.Engine:
        if engine is None or not allowed:
            raise StateError(f"the ledger {self.described} was opened for planning: there is nothing to write to")
        return engine

    def _open(self, url: sa.URL) -> sa.Engine | None:
        with self._explained():
            file = self.path
            engine = server.open_engine(url) if file is None else sqlite.open_engine(file, writable=self._writable)
            try:
                usable = self._bring_up_to_date(engine)
            except BaseException:
                engine.dispose()
                raise
        if not usable:
            engine.dispose()
            return None
        return engine

    def _bring_up_to_date(self, engine: sa.Engine) -> bool:
        """Whether the tables are there now, in the version this program knows."""
        with engine.connect() as connection:
            found = _version(connection)
        if found > tables.VERSION:
            raise StateError(
                f"the ledger {self.described} was written by a newer dltsync (its tables are version {found}, "
                f"this program knows {tables.VERSION})",
                remedy="update dltsync",
            )
        if 0 < found < tables.FIRST_VERSION:
            raise StateError(
                f"the ledger {self.described} has tables of version {found}, which was never released "
                f"(this program reads version {tables.VERSION})",
                remedy="move it away, or drop its tables, whose names begin with dltsync_; the next run makes a new ledger from "
                "what lake and warehouse agree on, and reads the rest from the source",
            )
        if found < tables.VERSION and self._writable:
            self._migrate(engine, found)
            return True
        if 0 < found < tables.VERSION:
            raise StateError(
                f"the ledger {self.described} is of an older version ({found}; now {tables.VERSION})",
                remedy="`dltsync run` brings it up to date",
            )
        return found > 0

    def _migrate(self, engine: sa.Engine, found: int) -> None:
        try:
            with _transaction(engine, writes=True) as connection:
                # Asked again: on SQLite another process may have been first while this one waited for the file.
                first = max(_version(connection), tables.FIRST_VERSION - 1)
                for version, step in enumerate(tables.MIGRATIONS[first + 1 - tables.FIRST_VERSION :], start=first + 1):
                    step(connection)
                    connection.execute(sa.insert(tables.versions).values(version=version, applied_at=iso(utc_now())))
        except DBAPIError:
            # On a server the tables themselves make the others queue: theirs are refused once the first has committed.
            with engine.connect() as connection:
                now = _version(connection)
            if now <= found:
                raise
            if now < tables.VERSION:
                self._migrate(engine, now)


@contextmanager
def _transaction(engine: sa.Engine, *, writes: bool) -> Iterator[sa.Connection]:
    """On a connection of its own."""
    with engine.connect().execution_options(**{sqlite.WRITES: writes}) as connection, connection.begin():
        yield connection


def _version(connection: sa.Connection) -> int:
    """0 for a database without our tables."""
    if not sa.inspect(connection).has_table(tables.versions.name):
        return 0
    return int(connection.execute(sa.select(sa.func.max(tables.versions.c.version))).scalar() or 0)


def store_time(connection: sa.Connection) -> int:
    """Milliseconds since 1970 by the store's clock: one clock for all machines that share it; for SQLite this machine's."""
    statement = CLOCKS.get(connection.dialect.name)
    return time.time_ns() // 1_000_000 if statement is None else int(connection.execute(statement).scalar_one())


CLOCKS = {
    "postgresql": sa.text("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS bigint)"),
    "mssql": sa.text("SELECT DATEDIFF_BIG(millisecond, '19700101', SYSUTCDATETIME())"),
}
