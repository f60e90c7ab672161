"""What the ledger asks of a database is plain enough for SQL Server too.

There is none here. Every statement of a ledger's life is compiled for it and kept as a file that a person, or Microsoft's own
parser, can read: tests/golden/ledger_on_sql_server.sql. Write it anew with DLTSYNC_WRITE_GOLDEN=1.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.mssql import pyodbc
from sqlalchemy.schema import CreateIndex, CreateTable

from dltsync_core.clock import utc_now
from dltsync_core.committed import CommitChange, CommittedUnit, LoadIdentity, Probe
from dltsync_core.identity import TableName
from dltsync_core.state import server_store as server
from dltsync_core.state.leases import Leases
from dltsync_core.state.ledger import Ledger
from dltsync_core.state.records import LoadEvent, LoadStatus
from dltsync_core.state.store import Store, store_time
from dltsync_core.state.tables import LEDGER

TABLE = TableName("dbo", "Orders")
GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "ledger_on_sql_server.sql"

# Large types as on every server since 2012; parameters as the driver takes them.
SQL_SERVER = pyodbc.dialect(deprecate_large_types=True, paramstyle="qmark")  # type: ignore[no-untyped-call]
KEY_BYTES = 900
"""What a clustered key may have at most; other indexes may have more."""


@dataclass(frozen=True)
class Asked:
    """A clause as it was executed: for one row or several, with values for these columns beside those in it."""

    clause: sa.ClauseElement
    columns: tuple[str, ...] = ()
    rows: int = 1

    def __str__(self) -> str:
        """As SQL Server would get it."""
        given: dict[str, Any] = {
            "column_keys": list(self.columns),
            "for_executemany": self.rows > 1,
            "compile_kwargs": {"render_postcompile": True},
        }
        ddl = isinstance(self.clause, (CreateTable, CreateIndex))
        told = self.clause.compile(dialect=SQL_SERVER, **({} if ddl else given))
        return "\n".join(line.replace("\t", "    ").rstrip() for line in str(told).strip().splitlines())


def compiled(clause: sa.ClauseElement) -> str:
    return str(Asked(clause))


def key_bytes(column: sa.Column[Any]) -> int:
    """At most so many bytes of an index are this column's. A text without a length has no such number."""
    if isinstance(column.type, sa.String):
        assert column.type.length is not None, f"{column}: text without a length cannot be in a key"
        return column.type.length * (2 if isinstance(column.type, sa.Unicode) else 1)
    return 8


@pytest.mark.parametrize("table", LEDGER.sorted_tables, ids=lambda table: table.name)
def test_keys_and_indexes_are_short_enough_for_sql_server(table: sa.Table) -> None:
    keys = [list(table.primary_key.columns), *(list(index.columns) for index in table.indexes)]
    assert all(keys)
    assert max(sum(key_bytes(column) for column in key) for key in keys) <= KEY_BYTES


@pytest.mark.parametrize("table", LEDGER.sorted_tables, ids=lambda table: table.name)
def test_text_is_kept_as_unicode_without_a_limit_or_with_one_and_never_in_a_type_that_is_going(table: sa.Table) -> None:
    made = compiled(CreateTable(table))
    assert " NTEXT" not in made
    assert " TEXT" not in made
    for column in table.columns:
        if isinstance(column.type, sa.UnicodeText):
            assert f"{column.name} NVARCHAR(max)" in made


@contextmanager
def heard() -> Iterator[list[str | Asked]]:
    """Everything that is executed anywhere while the block runs: clauses, and text that went past the dialect."""
    seen: list[str | Asked] = []

    def clause(connection: Any, clause: Any, many: Any, one: Any, options: Any) -> None:
        if isinstance(clause, sa.ClauseElement):
            rows = [one] if one else list(many)
            seen.append(Asked(clause, tuple(rows[0]) if rows else (), len(rows)))

    def text(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if context.compiled is None:
            seen.append(statement)

    listeners = (("before_execute", clause), ("before_cursor_execute", text))
    for name, listener in listeners:
        sa.event.listen(sa.Engine, name, listener)
    try:
        yield seen
    finally:
        for name, listener in listeners:
            sa.event.remove(sa.Engine, name, listener)


def live_once(directory: Path) -> list[str | Asked]:
    """A ledger from its first moment to its retention; every method of it and of the leases."""
    with heard() as seen, Ledger(Store(directory), "p") as ledger:
        leases = Leases(ledger.store, "p", holder="h", seconds=60)
        for units in (["a", "b"], ["a"]):
            with leases.held(
                TABLE, units, at_least=0, wait_seconds=0, on_wait=print, raise_if_stopped=lambda: None
            ) as held:
                held.renew()
                event = LoadEvent(TABLE, "static", "a", "l", "r", LoadStatus.COMMITTED, utc_now(), 1, "")
                ledger.record(event, event)
                seen_there = ledger.committed_units(TABLE).generation("a")
                ledger.commit(TABLE, [CommitChange("a", seen_there, committed_unit())], [event], lease=held.lease)
                ledger.commit(TABLE, [CommitChange("a", seen_there + 1, None)], lease=held.lease)
        ledger.tables()
        ledger.find_table(TABLE)
        ledger.last_events(TABLE)
        ledger.events("l")
        ledger.prune(utc_now())
    return seen


def committed_unit() -> CommittedUnit:
    probe = Probe("hashbytes_sha256", 1, "s", None)
    identity = LoadIdentity("p", "source", TABLE, "static", "a", "l", "r", "definition")
    return CommittedUnit(identity, 1, probe, 1, 1, "lake", utc_now())


class Answering:
    """Stands for a connection to SQL Server: notes what it is asked."""

    dialect = SQL_SERVER

    def __init__(self) -> None:
        self.asked: list[str] = []

    def execute(self, clause: sa.ClauseElement) -> Any:
        self.asked.append(compiled(clause))
        return sa.engine.result.IteratorResult(
            sa.engine.result.SimpleResultMetaData(["n"]), iter([(1_700_000_000_000,)])
        )


def test_the_clock_of_a_sql_server_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = Answering()
    assert store_time(connection) == 1_700_000_000_000  # type: ignore[arg-type]
    assert connection.asked == ["SELECT DATEDIFF_BIG(millisecond, '19700101', SYSUTCDATETIME())"]


def test_no_statement_reaches_the_database_past_the_dialect(tmp_path: Path) -> None:
    """Text that is sent as it stands would be SQLite's own. Only what opens the file and its transactions may be."""
    seen = live_once(tmp_path)
    texts = {one for one in seen if isinstance(one, str)}
    texts |= {one.clause.text for one in seen if isinstance(one, Asked) and isinstance(one.clause, sa.TextClause)}
    assert {text for text in texts if not text.startswith(("PRAGMA", "BEGIN"))} == set()
    assert any(text.startswith("BEGIN") for text in texts)


def test_every_statement_of_a_ledgers_life_compiles_for_sql_server_as_the_golden_file_says(tmp_path: Path) -> None:
    """Compiling raises where SQL Server has no such thing (ON CONFLICT, for instance); the file shows the rest."""
    asked = [one for one in live_once(tmp_path) if isinstance(one, Asked)]
    statements = list(server.settings("mssql"))
    for table in LEDGER.sorted_tables:
        statements += [compiled(CreateTable(table)), *(compiled(CreateIndex(i)) for i in sorted_indexes(table))]
    connection = Answering()
    store_time(connection)  # type: ignore[arg-type]
    statements += connection.asked
    statements += [text for one in asked if not (text := str(one)).startswith(("PRAGMA", "CREATE"))]
    written = "".join(f"{statement};\n\n" for statement in dict.fromkeys(statements))
    if os.environ.get("DLTSYNC_WRITE_GOLDEN"):
        GOLDEN.write_text(written, encoding="utf-8")
        pytest.fail(f"wrote {GOLDEN.name}; run again without DLTSYNC_WRITE_GOLDEN")
    assert written == GOLDEN.read_text(encoding="utf-8")


def sorted_indexes(table: sa.Table) -> list[sa.Index]:
    return sorted(table.indexes, key=lambda index: str(index.name))
