"""One session's transaction over DuckDB's: when a snapshot begins, what it may still be asked, how it ends.

DuckDB gives a transaction one snapshot. READ COMMITTED wants the newest rows at every statement, so a transaction that has
written nothing takes a new snapshot per statement; one that has written keeps its snapshot, and a statement that touches a
table changed by others since is answered from a fresh snapshot when this transaction has not written that table, and refused
when both are mixed. SNAPSHOT keeps the snapshot of its first access. DuckDB cannot undo one statement, so checks run before
rows change; an error inside DuckDB after that costs the whole transaction, as XACT_ABORT ON does, and the client is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlserver_sandbox.engine.duckdb.connection import Connection
from sqlserver_sandbox.engine.duckdb.errors import metadata_changed, snapshot_conflict
from sqlserver_sandbox.engine.store.locks import (
    CHANGES,
    MODIFY,
    READ,
    STABLE,
    STATEMENT,
    TRANSACTION,
    WRITE,
    Key,
    LowPriority,
)
from sqlserver_sandbox.engine.store.savepoints import Savepoints
from sqlserver_sandbox.engine.store.snapshot import Snapshot, StaleSnapshotError
from sqlserver_sandbox.engine.store.store import Store
from sqlserver_sandbox.engine.store.transaction_errors import (
    began_in_another_isolation,
    no_savepoint_is_left,
    only_rollback_is_left,
    snapshot_not_allowed,
)
from sqlserver_sandbox.model import Outcome, SqlError, TransactionChange
from sqlserver_sandbox.tsql.catalogue import Database
from sqlserver_sandbox.tsql.refusal import refused

READ_COMMITTED, SNAPSHOT = "READ COMMITTED", "SNAPSHOT"
ISOLATION_LEVELS = {1: "READ UNCOMMITTED", 2: READ_COMMITTED, 3: "REPEATABLE READ", 4: "SERIALIZABLE", 5: SNAPSHOT}
"""By the number that TDS and sys.dm_exec_sessions have for them."""


class TransactionState:
    """`count` is @@TRANCOUNT. A DuckDB transaction is open during a statement, and between statements when it must be kept."""

    def __init__(self, store: Store, connection: Connection, spid: int) -> None:
        self._store = store
        self._connection = connection
        self._spid = spid
        self._descriptor = 0
        self._snapshot = Snapshot(store, connection)
        self._began_clean = True
        """Nothing had been written when the statement began: it may begin again."""
        self._pinned = False
        self._savepoints = Savepoints(connection)
        self._name = ""
        self.count = 0
        self.doomed = False
        """Only ROLLBACK is left (XACT_STATE() is -1)."""
        self._lost = False
        """A run-time error in the middle of a result doomed it: no other statement runs."""
        self.isolation = READ_COMMITTED
        self.lock_timeout = -1

    @property
    def descriptor(self) -> int:
        return self._descriptor

    @property
    def identifier(self) -> int:
        """The number of the explicit transaction that is open, 0 without one: no other session has the same."""
        return self._spid << 32 | self._descriptor if self.count else 0

    @property
    def written_since(self) -> tuple[tuple[int, str], ...]:
        """The databases that the transaction has written to, each with the time of the first write."""
        return tuple(sorted(self._snapshot.written_since.copy().items()))

    # ---- explicit transactions ------------------------------------------------------------------------------------
    def begin(self, name: str = "") -> Iterator[Outcome]:
        self.count += 1
        if self.count == 1:
            self._name = name
            self._descriptor += 1
            yield TransactionChange("begin", self._descriptor)

    def commit(self) -> Iterator[Outcome]:
        if self.count == 0:
            raise SqlError(3902, "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION.")
        self.check_alive()
        if self.count > 1:
            self.count -= 1
            return
        try:
            self._end(commit=True)
        except SqlError:
            self._close()
            yield TransactionChange("rollback", self._descriptor)
            raise
        self._close()
        yield TransactionChange("commit", self._descriptor)

    def rollback(self, name: str = "") -> Iterator[Outcome]:
        """The whole transaction, or back to the savepoint `name`. Raises 3903, 3931, 6401."""
        if self.count == 0:
            raise SqlError(3903, "The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION.")
        if name and (self._savepoints.has(name) or name.lower() != self._name.lower()):
            if self.doomed:
                raise no_savepoint_is_left()
            self._savepoints.rollback_to(name)
            return
        yield from self.abandon()

    def save(self, name: str) -> None:
        """SAVE TRANSACTION. Raises 628 without a transaction."""
        if self.count == 0:
            raise SqlError(628, "Cannot issue SAVE TRANSACTION when there is no active transaction.", state=0)
        self._savepoints.save(name)

    def abandon(self) -> Iterator[Outcome]:
        """Roll back whatever is open."""
        self._end(commit=False)
        if self.count:
            self._close()
            yield TransactionChange("rollback", self._descriptor)

    def _close(self) -> None:
        """The explicit transaction is over, however it ended."""
        self.count = 0
        self.doomed = self._lost = False
        self._savepoints = Savepoints(self._connection)
        self._store.locks.release(self._spid, CHANGES, STATEMENT, TRANSACTION)

    def check_alive(self, *, reads: bool = False) -> None:
        """3930 when only ROLLBACK is left. In a CATCH block a statement that only `reads` runs all the same."""
        if self.doomed and (self._lost or not reads):
            raise only_rollback_is_left()

    def doom(self, *, spare: bool = False) -> None:
        """A result broke off. With `spare` the transaction outlives that, unless DuckDB has lost it as well."""
        self._store.locks.release(self._spid, STATEMENT)
        if spare and self.count and self._snapshot.has_begun and not self.is_broken():
            return
        if self.count and not self.can_lose_nothing:
            self.condemn()
            self._lost = True
        else:
            self._end(commit=False)

    def condemn(self) -> None:
        """Only ROLLBACK is left: the changes are undone, and the locks are held until it comes."""
        self.doomed = True
        self._end(commit=False)

    # ---- statements -----------------------------------------------------------------------------------------------
    def begin_statement(self) -> None:
        self._began_clean = not self._snapshot.written and not self._pinned

    def restart_statement(self) -> None:
        """Forget the snapshot that the statement began with; the locks that it has stay."""
        self._snapshot.rollback()
        self._savepoints.forget_copies()
        self._pinned = False

    def touch(self, database_id: int) -> Database:
        """The database's catalogue in the statement's snapshot."""
        return self._snapshot.touch(database_id)

    def note_defined(self, database: Database) -> None:
        """The statement stored a changed catalogue."""
        self._snapshot.note_defined(database)

    def end_statement(self, *, failed: bool = False) -> Iterator[Outcome]:
        """Commit or undo an autocommit statement; inside a transaction keep what must be kept."""
        self._store.locks.release(self._spid, STATEMENT)
        if not self._snapshot.is_open:
            return
        if self.count == 0:
            self._end(commit=not failed)
        elif not self._snapshot.written and not self._pinned:
            self._end(commit=False)
        elif failed and self.is_broken():
            yield from self.abandon()

    def is_broken(self) -> bool:
        """Whether DuckDB has given the open transaction up."""
        return self._snapshot.is_broken()

    @property
    def can_lose_nothing(self) -> bool:
        """An error inside DuckDB would cost this statement only."""
        return self.count == 0 or (not self._snapshot.written and not self._pinned)

    def access(self, database: Database) -> None:
        """A user table of `database` is about to be read: SNAPSHOT must be allowed there, and begins."""
        if self.isolation != SNAPSHOT:
            return
        if not database.snapshot_isolation:
            raise snapshot_not_allowed(database.name)
        if self.count:
            self._snapshot.begin()
            self._pinned = True

    def lock_for_reading(self, keys: set[Key], *, versioned: bool) -> None:
        """Keep tables as they are while the statement reads them: it waits for DDL, and not `versioned` for writers too.

        Raises 1222, 1205, 3961 for a SNAPSHOT transaction that meets DDL, and `StaleSnapshotError` for what is to run again.
        """
        mode = STABLE if versioned or self.isolation == SNAPSHOT else READ
        for key in sorted(keys):
            self._store.locks.acquire(self._spid, key, self.lock_timeout, mode=mode, until=STATEMENT)
        redefined = self._snapshot.redefined(keys)
        if redefined and self._pinned:
            raise metadata_changed(self._store.name_of(next(iter(redefined))[0]))
        changed = mode == READ and self._snapshot.stale(keys)
        if (redefined or changed) and self._began_clean:
            raise StaleSnapshotError

    def wants_fresh_view(self, keys: set[Key]) -> bool:
        """READ COMMITTED in a transaction that has written: whether to read `keys` from a new snapshot instead of the own."""
        written = self._snapshot.written
        if self.isolation == SNAPSHOT or not written or not self._snapshot.stale(keys):
            return False
        if keys & written:
            raise refused(
                "reading, inside one READ COMMITTED transaction, a table it has written"
                " together with one that another session changed"
                " meanwhile; commit first, or use SNAPSHOT isolation"
            )
        return True

    def write(self, database: Database, object_id: int, name: str, mode: str = WRITE) -> Database:
        """Lock a table for writing, or with `mode` for DDL, and make the snapshot fit for that.

        Returns the catalogue then in force.
        """
        return self.write_all(database, ((object_id, name),), mode)

    def write_all(
        self,
        database: Database,
        tables: Sequence[tuple[int, str]],
        mode: str = WRITE,
        low: LowPriority | None = None,
    ) -> Database:
        """As `write`, for (object id, name) of several tables of one database: all locks come before the snapshot."""
        self.check_alive()
        keys = {(database.database_id, object_id): name for object_id, name in tables}
        locks = self._store.locks
        taken = [locks.acquire(self._spid, key, self.lock_timeout, mode=mode, low=low) for key in keys]
        if any(taken) and not self._snapshot.written and not self._pinned:
            # Whoever held the lock before may have committed: look again from here.
            self._snapshot.rollback()
        current = self.touch(database.database_id)
        self._snapshot.begin()
        stale = self._snapshot.stale(set(keys))
        if stale:
            name = keys[min(stale)]
            if self.isolation == SNAPSHOT:
                raise snapshot_conflict(name, database.name)
            if self._began_clean:
                raise StaleSnapshotError
            if self._savepoints.have_copies or not self._snapshot.move_on():
                raise refused(
                    f"writing '{name}' in a READ COMMITTED transaction that changed definitions or has savepoints, after another"
                    " session changed it; commit first"
                )
            current = self.touch(database.database_id)
        for key in keys:
            self._savepoints.before_write(current, key[1])
            self._snapshot.note_written(key, by_definition=mode == MODIFY)
        return current

    # ---- settings -------------------------------------------------------------------------------------------------
    @property
    def isolation_number(self) -> int:
        return next(number for number, level in ISOLATION_LEVELS.items() if level == self.isolation)

    @property
    def state(self) -> int:
        """XACT_STATE()."""
        return -1 if self.doomed else (1 if self.count else 0)

    def set_isolation(self, level: str) -> None:
        """READ COMMITTED or SNAPSHOT. The others promise locking that DuckDB does not have; each is refused by name."""
        if level not in (READ_COMMITTED, SNAPSHOT):
            raise refused(f"the isolation level {level}; READ COMMITTED and SNAPSHOT are on the list")
        if level == SNAPSHOT and self.count and self.isolation != SNAPSHOT:
            # SQL Server lets the SET pass and fails the transaction at its next access.
            raise began_in_another_isolation()
        self.isolation = level

    def reset(self) -> None:
        """sp_reset_connection: the isolation level and the lock time-out of a new session, after the transaction's end."""
        self.isolation = READ_COMMITTED if not self.count else self.isolation
        self.lock_timeout = -1

    # ---- ends -----------------------------------------------------------------------------------------------------
    def _end(self, *, commit: bool) -> None:
        try:
            if commit:
                if self._snapshot.is_open:
                    self._savepoints.clear()
                self._snapshot.commit()
            else:
                self._snapshot.rollback()
        finally:
            self._pinned = False
            self._store.counters.end_rowversions(self._spid)
            if not self.doomed:
                self._store.locks.release(self._spid, CHANGES, STATEMENT)
