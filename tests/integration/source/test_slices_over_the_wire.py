"""Reading in slices: every row once whatever the key is like, within one snapshot, also when statements fail on the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from dltsync_core.catalog.facts import TableFacts
from dltsync_core.config import PartitionTableConfig, StaticTableConfig
from dltsync_core.connect.retry import Budget, decide
from dltsync_core.errors import QueryError, TransientQueryError
from dltsync_core.extract import slice_reader as sliced
from dltsync_core.extract.read_view import ReadView
from dltsync_core.extract.slice_plan import SliceLimits
from dltsync_core.extract.slice_reader import SlicedUnit, SliceReader
from dltsync_core.extract.unit import WHOLE, Extracted, UnitFilter
from dltsync_core.tsql.select import select_rows
from dltsync_core.tsql.slices import in_key_order
from dltsync_core.typemap.mapping import TableMapping
from tests.integration.source.faulty_rows import Faulty
from tests.integration.source.source_tables import SourceTables
from tests.support.server_shop import Server, Statements

STATIC = "t"


@pytest.fixture
def snapshot_tables(snapshot_server: Server) -> Iterator[SourceTables]:
    made = SourceTables(snapshot_server)
    yield made
    made.drop()


def _config(tables: SourceTables) -> StaticTableConfig:
    return StaticTableConfig(table_name=STATIC, schema_name=tables.schema)


KEYS = {
    "int": ("k int NOT NULL PRIMARY KEY", [f"{n}" for n in range(-20, 20)]),
    "bigint and text": (
        "k bigint NOT NULL, l nvarchar(20) NOT NULL, PRIMARY KEY (k, l)",
        [f"{n // 7}, N'x{n:03}'" for n in range(40)],
    ),
    "a unique key with NULL": (
        "k int NULL, l nvarchar(20) COLLATE Latin1_General_100_BIN2 NULL, CONSTRAINT u_{s} UNIQUE (k, l)",
        ["NULL, NULL", *[f"NULL, N'ñ{n:02}'" for n in range(18)], *[f"{n}, NULL" for n in range(21)]],
    ),
    "datetime2(7)": (
        "k datetime2(7) NOT NULL PRIMARY KEY",
        [f"'2024-01-01T00:00:00.12345{n:02}'" for n in range(40)],
    ),
    "datetime": (
        "k datetime NOT NULL PRIMARY KEY",
        [f"'2024-01-01T00:00:00.{n:02}{d}'" for n in range(13) for d in (0, 3, 7)] + ["'1999-12-31T23:59:59.997'"],
    ),
    "decimal": (
        "k decimal(38,4) NOT NULL PRIMARY KEY",
        [f"1234567890123456789012345678901234.{n:04}" for n in range(40)],
    ),
    "money and date": (
        "k money NOT NULL, l date NOT NULL, PRIMARY KEY (k, l)",
        [f"{n // 10}.000{n % 10}, '2024-02-{1 + n % 28:02}'" for n in range(40)],
    ),
    "varchar": ("k varchar(10) NOT NULL PRIMARY KEY", [f"'code {n:03}'" for n in range(40)]),
    "binary": ("k varbinary(8) NOT NULL PRIMARY KEY", [f"0x{n:02X}FF00" for n in range(40)]),
    "time and offset": (
        "k time(7) NOT NULL, l datetimeoffset(3) NOT NULL, PRIMARY KEY (k, l)",
        [f"'10:00:00.00000{n // 4:02}', '2024-01-01T00:00:00.00{n % 4}+0{n % 4}:00'" for n in range(40)],
    ),
}


def _fill(tables: SourceTables, columns: str, rows: Sequence[str]) -> None:
    tables.table(STATIC, f"{columns.replace('{s}', tables.schema)}, v int NOT NULL")
    values = ", ".join(f"({row}, {n})" for n, row in enumerate(rows))
    tables.run(f"INSERT INTO {{s}}.{STATIC} VALUES {values}")


def _values(table: pa.Table) -> list[int]:
    return sorted(_numbers(table.column("v")))


def _numbers(column: Any) -> list[int]:
    return [int(value) for value in column.to_pylist()]


@pytest.mark.parametrize("name", KEYS)
def test_every_row_comes_once_by_keys_of_any_kind(tables: SourceTables, statements: Statements, name: str) -> None:
    columns, rows = KEYS[name]
    _fill(tables, columns, rows)
    table, report = tables.read(_config(tables), statement_rows_limit=7)
    assert _values(table) == list(range(len(rows)))
    assert report.rows == report.counted_rows == 40
    assert report.statements == 12, "six slices, and as many questions for their ends"
    assert len(statements.rows) == 12


def test_few_rows_are_read_by_one_plain_statement(tables: SourceTables, statements: Statements) -> None:
    _fill(tables, *KEYS["int"])
    _, report = tables.read(_config(tables), statement_rows_limit=40)
    assert report.statements == 1
    assert "ORDER BY" not in statements.rows[0]


def test_without_a_usable_key_one_statement_reads_all(tables: SourceTables, statements: Statements) -> None:
    _fill(tables, "k float NOT NULL PRIMARY KEY", [str(n) for n in range(20)])
    table, report = tables.read(_config(tables), statement_rows_limit=7)
    assert _values(table) == list(range(20))
    assert report.statements == 1


def test_a_key_that_cannot_be_named_exactly_is_not_stopped_at(tables: SourceTables) -> None:
    """Letters outside ASCII in a column with a code page: the rest comes with one statement."""
    columns = "k varchar(10) COLLATE Latin1_General_100_BIN2 NOT NULL PRIMARY KEY"
    _fill(tables, columns, [*[f"'a{n}'" for n in range(9)], *[f"'ñ{n}'" for n in range(9)]])
    table, report = tables.read(_config(tables), statement_rows_limit=5)
    assert _values(table) == list(range(18))
    assert report.statements == 4


def test_a_slot_is_sliced_within_its_bounds(tables: SourceTables) -> None:
    tables.make(
        "CREATE PARTITION FUNCTION pf_{s} (int) AS RANGE RIGHT FOR VALUES (10, 30)", "DROP PARTITION FUNCTION pf_{s}"
    )
    tables.make("CREATE PARTITION SCHEME ps_{s} AS PARTITION pf_{s} ALL TO ([PRIMARY])", "DROP PARTITION SCHEME ps_{s}")
    tables.table(
        STATIC, f"v int NOT NULL, p int NOT NULL, CONSTRAINT pk_{tables.schema} PRIMARY KEY (v, p)", "ON ps_{s}(p)"
    )
    values = ", ".join(f"({n}, {n})" for n in range(40))
    tables.run(f"INSERT INTO {{s}}.{STATIC} VALUES {values}")
    config = PartitionTableConfig(table_name=STATIC, schema_name=tables.schema)
    facts = tables.source().read_tables([config])[config.name]
    assert facts.partitioning is not None
    unit = UnitFilter(slot=facts.partitioning.slots[1], partitioning=facts.partitioning)
    table, report = tables.read(config, unit, statement_rows_limit=6)
    assert _values(table) == list(range(10, 30))
    assert report.statements == 8


def _extract(tables: SourceTables, **processing: Any) -> tuple[list[int], Extracted]:
    table, report = tables.read(_config(tables), WHOLE, **processing)
    return _numbers(table.column("v")), report


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sliced, "decide", lambda error, **facts: decide(error, **{**facts, "jitter": 0.0}))


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_a_lock_timeout_in_a_slice_is_continued_in_the_same_snapshot(
    snapshot_tables: SourceTables, monkeypatch: pytest.MonkeyPatch, no_pauses: None, batch: int
) -> None:
    """After no row, some rows and all rows of the slice; meanwhile others change the table, which the snapshot does not see."""
    tables = snapshot_tables
    _fill(tables, *KEYS["bigint and text"])
    changes = iter([f"DELETE FROM {{s}}.{STATIC} WHERE v < 30", f"INSERT INTO {{s}}.{STATIC} VALUES (0, N'x0000', 99)"])

    def meddle() -> None:
        for change in changes:
            tables.run(change)

    locked = TransientQueryError("Lock request time out period exceeded.", number=1222)
    Faulty({(4, batch): locked}, meddle).install(monkeypatch)
    values, report = _extract(tables, statement_rows_limit=14, batch_size=7)
    assert values == list(range(40))
    assert report.rows == report.counted_rows == 40


@pytest.mark.survives(
    "network",
    "lock time-outs at every third statement of a unit read in slices",
    "reading continues after the last row, in the same snapshot",
    "every row once",
)
def test_failures_at_every_statement_cost_no_row(
    snapshot_tables: SourceTables, monkeypatch: pytest.MonkeyPatch, no_pauses: None
) -> None:
    _fill(snapshot_tables, *KEYS["a unique key with NULL"])
    locked = {
        (n, 1 + n % 2): TransientQueryError("Lock request time out period exceeded.", number=1222)
        for n in range(1, 40, 3)
    }
    Faulty(dict(locked)).install(monkeypatch)
    values, _ = _extract(snapshot_tables, statement_rows_limit=9, batch_size=4)
    assert sorted(values) == list(range(40))


def test_without_a_snapshot_a_failure_ends_the_view(
    tables: SourceTables, monkeypatch: pytest.MonkeyPatch, no_pauses: None
) -> None:
    """Rows may have moved: only reading all of them anew is safe."""
    _fill(tables, *KEYS["int"])
    Faulty({(4, 2): TransientQueryError("Lock request time out period exceeded.", number=1222)}).install(monkeypatch)
    with pytest.raises(TransientQueryError):
        _extract(tables, statement_rows_limit=14, batch_size=7)


def test_a_snapshot_that_was_lost_is_not_continued(
    snapshot_tables: SourceTables, monkeypatch: pytest.MonkeyPatch, no_pauses: None
) -> None:
    """A deadlock ends the transaction at the server; what a lock timeout leaves is asked for."""
    _fill(snapshot_tables, *KEYS["int"])
    Faulty({(4, 2): TransientQueryError("deadlocked", number=1205)}).install(monkeypatch)
    with pytest.raises(TransientQueryError, match="deadlocked"):
        _extract(snapshot_tables, statement_rows_limit=14, batch_size=7)
    source = snapshot_tables.source()
    with source.read_view() as view:
        view._session.execute("COMMIT TRANSACTION;", "testing")
        rows = SliceReader(
            view._session,
            SlicedUnit(_config(snapshot_tables).name, None, (), lambda _: replace(select_nothing())),
            SliceLimits(5, 60),
            Budget(3, 60),
            live_snapshot=True,
        )
        assert not rows._snapshot_lives()
        view._session.execute("BEGIN TRANSACTION;", "testing")
        assert rows._snapshot_lives()


def select_nothing() -> Any:
    raise AssertionError("not asked")


def _along_k(view: ReadView, facts: TableFacts, mapping: TableMapping, limits: SliceLimits, **more: Any) -> SliceReader:
    """The rows of a table with a key `k`, in the live snapshot of a view."""
    key = tuple(column for column in facts.columns if column.name == "k")
    unit = SlicedUnit(facts.name, None, key, lambda part: select_rows(facts.name, mapping, part, in_key_order(key)))
    return SliceReader(view._session, unit, limits, Budget(3, 60), live_snapshot=True, **more)


def test_a_statement_that_takes_too_long_is_ended_and_continued(snapshot_tables: SourceTables) -> None:
    """The clock jumps at every look. The rest of the slice is given up on the wire, in the middle of its rows, and the
    snapshot outlives it."""
    tables = snapshot_tables
    tables.table(STATIC, "k int NOT NULL PRIMARY KEY, pad nvarchar(300) NOT NULL, v int NOT NULL")
    for start in range(0, 3000, 500):
        values = ", ".join(f"({n}, N'{'x' * 200}', {n})" for n in range(start, start + 500))
        tables.run(f"INSERT INTO {{s}}.{STATIC} VALUES {values}")
    source = tables.source()
    config = _config(tables)
    facts = source.read_tables([config])[config.name]
    mapping = source.map_columns(facts, config)
    clock = iter(range(0, 10**9, 40))
    seen: list[int] = []
    with source.read_view() as view:
        assert view.count(facts, WHOLE) == 3000
        tables.run(f"DELETE FROM {{s}}.{STATIC} WHERE k % 2 = 0")
        rows = _along_k(view, facts, mapping, SliceLimits(1000, 60.0), now=lambda: float(next(clock)))
        while (batch := rows.next_batch(100)) is not None:
            seen += _numbers(batch.column(2))
        rows.close()
    assert seen == list(range(3000))
    assert rows.continued > 5


def test_a_cancelled_reading_in_slices_ends(snapshot_tables: SourceTables) -> None:
    _fill(snapshot_tables, *KEYS["int"])
    config = _config(snapshot_tables)
    source = snapshot_tables.source(statement_rows_limit=5, batch_size=2)
    facts = source.read_tables([config])[config.name]

    def full(batch: pa.RecordBatch) -> None:
        raise OSError("no space left")

    def read() -> None:
        with source.read_view() as view:
            view.extract(facts, source.map_columns(facts, config), WHOLE, full)

    with pytest.raises(OSError, match="no space left"):
        read()


def test_a_cancel_between_two_statements_ends_the_reading_before_the_next(snapshot_tables: SourceTables) -> None:
    """It finds no statement under way, yet the next one may take minutes: it is not sent."""
    _fill(snapshot_tables, *KEYS["int"])
    config = _config(snapshot_tables)
    source = snapshot_tables.source()
    facts = source.read_tables([config])[config.name]
    mapping = source.map_columns(facts, config)
    with source.read_view() as view:
        assert view.count(facts, WHOLE) == 40
        rows = _along_k(view, facts, mapping, SliceLimits(5, 60))
        first = rows.next_batch(5)
        assert first is not None
        assert first.num_rows == 5
        rows._close_current()
        rows.cancel()
        with pytest.raises(QueryError, match="cancelled"):
            rows.next_batch(5)
        rows.close()
