"""An engine with canned answers: the wire's tests need every outcome of the contract, and no SQL."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from sqlserver_sandbox.model import (
    BulkStart,
    BulkTarget,
    Cancelled,
    Column,
    DatabaseChange,
    Info,
    Interference,
    Outcome,
    Parameter,
    ResultSet,
    RowsAffected,
    SqlError,
    SqlType,
    TransactionChange,
)

USER, PASSWORD = "sa", "Sandbox-Pa55!€"
SLOW = "SELECT slowly"
ENDLESS = "SELECT endlessly"
INT = Column("n", SqlType("int"))


@dataclass(frozen=True)
class Table:
    """A result that a statement gives, whole."""

    columns: tuple[Column, ...]
    batch: pa.RecordBatch


Script = Callable[["CannedSession", Mapping[str, Parameter]], Iterator[Outcome]]


@dataclass
class CannedEngine:
    """Obeys the contract of model.Engine. `scripts` answers a statement by its exact text; the rest is refused with 102."""

    version: tuple[int, int, int] = (16, 0, 4000)
    server_name: str = "CANNED"
    scripts: dict[str, Script] = field(default_factory=dict)
    procedures: dict[str, Script] = field(default_factory=dict)
    suggested: dict[str, list[tuple[str, SqlType]]] = field(default_factory=dict)
    seen: list[Mapping[str, Parameter]] = field(default_factory=list)
    stored: list[pa.Table] = field(default_factory=list)
    bulk_targets: dict[str, BulkTarget] = field(default_factory=dict)
    statements: list[str] = field(default_factory=list)
    sessions: list[CannedSession] = field(default_factory=list)

    def login(
        self, *, user: str, password: str, database: str, application: str, host: str, token: str | None = None
    ) -> CannedSession:
        if token is not None or (user, password) != (USER, PASSWORD):
            raise SqlError(18456, f"Login failed for user '{user}'.", class_=14)
        if database not in ("", "master", "shop"):
            raise SqlError(
                4060, f'Cannot open database "{database}" requested by the login. The login failed.', class_=11
            )
        session = CannedSession(self, database or "master")
        self.sessions.append(session)
        return session

    def close(self) -> None:
        return None

    def answer(self, sql: str, *outcomes: Outcome) -> None:
        """From now on `sql` gives these outcomes, which are plain values."""
        self.scripts[sql] = lambda _session, _parameters: iter(outcomes)

    def answer_rows(self, sql: str, *tables: Table) -> None:
        """From now on `sql` gives these results, each in batches of at most a thousand rows, anew every time."""

        def run(_session: CannedSession, _parameters: Mapping[str, Parameter]) -> Iterator[Outcome]:
            for table in tables:
                slices = (table.batch.slice(start, 1000) for start in range(0, table.batch.num_rows, 1000))
                yield ResultSet(table.columns, slices)

        self.scripts[sql] = run


def _bulk_table(sql: str) -> str:
    """The last part of the name after INSERT BULK."""
    name = sql.split(None, 2)[2].partition("(")[0].strip()
    return name.rpartition(".")[2].strip('[]"')


class CannedSession:
    """One connection to a CannedEngine."""

    def __init__(self, engine: CannedEngine, database: str) -> None:
        self.database = database
        self.spid = 51 + len(engine.sessions)
        self.closed = False
        self.ends: list[str] = []
        self.resets = 0
        self.interference: Interference | None = None
        self._engine = engine
        self._stop = threading.Event()
        self._descriptor = 0
        self._begun = 0
        self._implicit = False

    def interfere(self, interference: Interference) -> None:
        self.interference = interference

    def execute(self, sql: str, parameters: Mapping[str, Parameter]) -> Iterator[Outcome]:
        self._stop.clear()
        self._engine.statements.append(sql)
        self._engine.seen.append(parameters)
        plain = sql.strip().rstrip(";").lower()
        if sql in self._engine.scripts:
            if self._implicit and not self._descriptor:
                yield from self.begin()
            yield from self._engine.scripts[sql](self, parameters)
        elif plain.startswith("set implicit_transactions"):
            self._implicit = plain.endswith("on")
            yield RowsAffected(None)
        elif plain.startswith("if @@trancount > 0 "):
            yield from self.commit() if plain.endswith("commit tran") else self.rollback()
            yield RowsAffected(None)
        elif plain == "select @@trancount":
            yield ResultSet((INT,), iter((pa.record_batch([pa.array([0], pa.int32())], names=["n"]),)))
        elif plain.startswith("use "):
            yield DatabaseChange(plain[4:], self.database)
            yield Info(5701, f"Changed database context to '{plain[4:]}'.", state=2)
            yield RowsAffected(None)
        elif sql == SLOW:
            yield from self._slow()
        elif sql == ENDLESS:
            yield ResultSet((INT,), self._endless())
        elif plain.startswith("insert bulk "):
            yield BulkStart(self._engine.bulk_targets[_bulk_table(sql)])
        elif plain == "":
            return
        else:
            raise SqlError(102, f"Incorrect syntax near '{sql[:60]}'.", class_=15)

    def describe_parameters(self, sql: str, declared: str) -> list[tuple[str, SqlType]]:
        return self._engine.suggested[sql]

    def describe_result(self, sql: str, declared: str) -> tuple[Column, ...]:
        name = sql.rpartition(".")[2].strip("[]")
        if name not in self._engine.bulk_targets:
            raise SqlError(208, f"Invalid object name '{name}'.")
        return self._engine.bulk_targets[name].columns

    def call(self, procedure: str, arguments: list[tuple[str, Parameter]]) -> Iterator[Outcome]:
        if procedure not in self._engine.procedures:
            raise SqlError(2812, f"Could not find stored procedure '{procedure}'.")
        yield from self._engine.procedures[procedure](self, {name.lower(): value for name, value in arguments})

    def bulk_insert(self, target: BulkTarget, batches: Iterator[pa.RecordBatch]) -> int:
        self._stop.clear()
        table = pa.Table.from_batches(list(batches), schema=None) if target.columns else pa.table({})
        self._engine.stored.append(table)
        return int(table.num_rows)

    def begin(self, isolation: int = 0) -> Iterator[Outcome]:
        self._begun += 1
        self._descriptor = self._begun
        yield TransactionChange("begin", self._descriptor)

    def commit(self) -> Iterator[Outcome]:
        yield from self._end("commit")

    def rollback(self) -> Iterator[Outcome]:
        yield from self._end("rollback")

    def reset(self, *, keep_transaction: bool) -> Iterator[Outcome]:
        self._implicit = False
        self.resets += 1
        if not keep_transaction:
            yield from self._end("rollback")

    def cancel(self) -> None:
        self._stop.set()

    def close(self) -> None:
        self.closed = True

    def _end(self, kind: str) -> Iterator[Outcome]:
        descriptor, self._descriptor = self._descriptor, 0
        if descriptor:
            self.ends.append(kind)
            yield TransactionChange(kind, descriptor)

    def _slow(self) -> Iterator[Outcome]:
        """Computes for half a minute before its first row, unless it is cancelled."""
        if self._stop.wait(30):
            raise Cancelled
        yield RowsAffected(0)

    def _endless(self) -> Iterator[pa.RecordBatch]:
        start = 0
        while not self._stop.is_set():
            yield pa.record_batch([pa.array(range(start, start + 1000), pa.int32())], names=["n"])
            start += 1000
        time.sleep(0)
        raise Cancelled
