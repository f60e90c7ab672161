"""Bulk rows: all or none, with defaults, identity, conversions to the column and every check of INSERT."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest

from sqlserver_sandbox.model import BulkStart, BulkTarget, Column, SqlError, SqlType
from tests.sandbox.engine.client import Client, fails

INT, TEXT = SqlType("int"), SqlType("nvarchar", 20, collation="SQL_Latin1_General_CP1_CI_AS")


def batches(*rows: list[tuple[int | None, str | None]]) -> Iterator[pa.RecordBatch]:
    for some in rows:
        yield pa.RecordBatch.from_arrays(
            [pa.array([r[0] for r in some], pa.int32()), pa.array([r[1] for r in some], pa.string())], names=["k", "v"]
        )


def target(*options: str, columns: tuple[tuple[str, SqlType], ...] = (("k", INT), ("v", TEXT))) -> BulkTarget:
    return BulkTarget("dbo", "t", tuple(Column(n, d) for n, d in columns), options)


@pytest.fixture
def table(client: Client) -> Client:
    client.do(
        "CREATE TABLE t (k int NOT NULL PRIMARY KEY, v varchar(5) DEFAULT 'd', rv rowversion, n int IDENTITY(7, 1))"
    )
    return client


def test_rows_arrive_with_identity_and_rowversion(table: Client) -> None:
    assert table.session.bulk_insert(target("tablock"), batches([(1, "a")], [(2, "b"), (3, None)])) == 3
    assert table.rows("SELECT k, v, n FROM t ORDER BY k") == [(1, "a", 7), (2, "b", 8), (3, "d", 9)]
    assert table.value("COUNT(DISTINCT rv) FROM t") == 3
    assert table.value("@@ROWCOUNT") == 1


def test_null_stays_null_with_keep_nulls(table: Client) -> None:
    table.session.bulk_insert(target("keep_nulls"), batches([(1, None)]))
    assert table.rows("SELECT v FROM t") == [(None,)]


def test_identity_values_are_kept_when_their_column_is_announced(table: Client) -> None:
    """That is how clients ask for it (SqlBulkCopyOptions.KeepIdentity): INSERT BULK has no option of its own for it."""
    columns = (("k", INT), ("v", TEXT), ("n", INT))
    batch = pa.RecordBatch.from_arrays(
        [pa.array([1], pa.int32()), pa.array(["a"]), pa.array([50], pa.int32())], names=["k", "v", "n"]
    )
    table.session.bulk_insert(target(columns=columns), iter([batch]))
    table.do("INSERT t (k) VALUES (2)")
    assert table.rows("SELECT n FROM t ORDER BY k") == [(50,), (51,)]
    table.session.bulk_insert(target(), batches([(3, "a")]))
    assert table.value("n FROM t WHERE k = 3") == 52


@pytest.mark.parametrize(
    ("rows", "number"),
    [
        ([(1, "a"), (1, "b")], 2627),
        ([(5, "a")], 2627),
        ([(None, "a")], 515),
        ([(1, "toolong")], 2628),
        ([(1, "日本")], 40517),
    ],
)
def test_one_bad_row_keeps_all_out(table: Client, rows: list[tuple[int | None, str | None]], number: int) -> None:
    table.do("INSERT t (k) VALUES (5)")
    with fails(number):
        table.session.bulk_insert(target(), batches([(8, "x")], rows))
    assert table.rows("SELECT k FROM t") == [(5,)]


def test_a_broken_source_keeps_all_out_and_is_told_as_it_was(table: Client) -> None:
    class Broken(Exception):
        pass

    def source() -> Iterator[pa.RecordBatch]:
        yield from batches([(1, "a")])
        raise Broken("the client went away")

    with pytest.raises(Broken):
        table.session.bulk_insert(target(), source())
    assert table.value("COUNT(*) FROM t") == 0


def test_bulk_rows_belong_to_the_open_transaction(table: Client) -> None:
    table.do("BEGIN TRAN")
    table.session.bulk_insert(target(), batches([(1, "a")]))
    table.do("ROLLBACK")
    assert table.value("COUNT(*) FROM t") == 0


def test_insert_bulk_announces_columns_and_options(table: Client) -> None:
    answer = table.run(
        "INSERT BULK [dbo].[t] ([k] int, [v] nvarchar(5) COLLATE Latin1_General_CI_AS) WITH (TABLOCK, KEEP_NULLS, ROWS_PER_BATCH = 10)"
    )
    start = answer.others[0]
    assert isinstance(start, BulkStart)
    assert start.target.table == "t"
    assert [(c.name, c.type.name, c.type.length) for c in start.target.columns] == [
        ("k", "int", 0),
        ("v", "nvarchar", 5),
    ]
    assert start.target.options == ("tablock", "keep_nulls", "rows_per_batch")
    assert table.number("INSERT BULK t (nope int)") == 207
    assert table.number("INSERT BULK t (k int) WITH (ORDER (k))") == 40517


def test_a_column_that_is_not_there_is_an_error(table: Client) -> None:
    with pytest.raises(SqlError, match="Invalid column name 'nope'"):
        table.session.bulk_insert(target(columns=(("nope", INT), ("v", TEXT))), batches([(1, "a")]))
