"""A staged file holds exactly the rows, types and facts it was given, or it does not exist."""

from __future__ import annotations

import hashlib
from datetime import datetime, time
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dltsync_core.errors import LakeError, ValidationFailed
from dltsync_core.lake.footer import footer_from
from dltsync_core.lake.lake import Lake
from dltsync_core.lake.writer import dictionary_columns
from tests.support.lake_loads import SCHEMA, batch_of, facts_of, final_facts, stage


def test_rows_arrive_unchanged_whatever_the_batches_were(lake: Lake) -> None:
    with lake.stage(facts_of("static", row_group_rows=4)) as load:
        for start in range(0, 10, 3):
            load.write(batch_of(range(start, min(start + 3, 10))))
        assert load.rows == 10
        staged = load.finish(final_facts(10))
    table = pq.read_table(staged.files[0].path)
    assert table.column("OrderNo").to_pylist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert staged.rows == 10


def test_row_groups_stay_within_their_bound(lake: Lake) -> None:
    with lake.stage(facts_of("static", row_group_rows=100)) as load:
        load.write(batch_of(range(250)))
        staged = load.finish(final_facts(250))
    metadata = pq.read_metadata(staged.files[0].path)
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [100, 100, 50]


def test_wide_rows_make_row_groups_of_fewer_rows(lake: Lake) -> None:
    """They wait in memory until their row group is full: bytes bound it as well as rows."""
    batch = batch_of(range(10))
    with lake.stage(facts_of("static", row_group_rows=1_000, row_group_bytes=2 * batch.nbytes)) as load:
        for _ in range(6):
            load.write(batch)
        (file,) = load.finish(final_facts(60)).files
    metadata = pq.read_metadata(file.path)
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [20, 20, 20]


def test_an_empty_unit_is_a_file_with_the_schema_and_no_rows(lake: Lake) -> None:
    staged = stage(lake, facts_of("partition", "[1,2)"), [])
    assert len(staged.files) == 1
    assert pq.read_table(staged.files[0].path).schema.equals(SCHEMA, check_metadata=False)
    assert staged.rows == 0


def test_values_that_travel_badly_arrive_exactly(lake: Lake) -> None:
    """The 100 ns of datetime2(7), the end of the calendar, all 38 digits, an emoji, bytes that are no text."""
    types: list[tuple[str, pa.DataType]] = [
        ("ns", pa.timestamp("ns")),
        ("us", pa.timestamp("us")),
        ("d", pa.decimal128(38, 10)),
        ("t", pa.time64("us")),
        ("s", pa.large_string()),
        ("b", pa.binary()),
    ]
    schema = pa.schema(types)
    row = {
        "us": datetime(9999, 12, 31, 23, 59, 59, 999999),
        "d": Decimal("-9999999999999999999999999999.9999999999"),
        "t": time(23, 59, 59, 999999),
        "s": "a😀'\"\u0000]",
        "b": b"\x00\xff",
    }
    columns = {name: pa.array([value], schema.field(name).type) for name, value in row.items()}
    columns["ns"] = pa.array([1_700_000_000_123_456_700], pa.int64()).cast(pa.timestamp("ns"))
    with lake.stage(facts_of("static", schema=schema)) as load:
        load.write(pa.record_batch([columns[name] for name in schema.names], schema=schema))
        staged = load.finish(final_facts(1))
    table = pq.read_table(staged.files[0].path)
    assert table.schema.equals(schema, check_metadata=False)
    assert table.column("ns").cast(pa.int64()).to_pylist() == [1_700_000_000_123_456_700]
    assert {name: table.column(name).to_pylist()[0] for name in row} == row


def test_a_large_load_becomes_several_files_that_all_know_the_whole(lake: Lake) -> None:
    with lake.stage(facts_of("static", row_group_rows=50, max_file_bytes=1)) as load:
        for start in range(0, 150, 50):
            load.write(batch_of(range(start, start + 50)))
        staged = load.finish(final_facts(150))
    assert [f.rows for f in staged.files] == [50, 50, 50]
    footers = [footer_from(pq.read_metadata(f.path).metadata, path=str(f.path)) for f in staged.files]
    assert [(f.file_number, f.files_in_load, f.rows, f.load_rows) for f in footers] == [
        (0, 3, 50, 150),
        (1, 3, 50, 150),
        (2, 3, 50, 150),
    ]


def test_the_checksum_is_the_files(lake: Lake) -> None:
    file = stage(lake, facts_of("static"), [1, 2]).files[0]
    assert file.sha256 == hashlib.sha256(file.path.read_bytes()).hexdigest()
    assert file.bytes == file.path.stat().st_size


def test_fewer_rows_than_the_server_counted_are_never_finished(lake: Lake) -> None:
    load = lake.stage(facts_of("static"))
    load.write(batch_of([1, 2]))
    with pytest.raises(ValidationFailed, match="2 rows arrived but the server counted 3"):
        load.finish(final_facts(3))
    assert files_below(lake.directory) == []


def test_a_batch_of_another_schema_is_refused(lake: Lake) -> None:
    with (
        pytest.raises(LakeError, match="another schema"),
        lake.stage(facts_of("static")) as load,
    ):
        load.write(pa.record_batch({"OrderNo": pa.array([1], pa.int64())}))
    assert files_below(lake.directory) == []


def test_null_in_a_column_that_admits_none_is_refused(lake: Lake) -> None:
    batch = pa.RecordBatch.from_arrays(
        [pa.array([None], pa.int32()), pa.nulls(1, pa.decimal128(38, 10)), pa.nulls(1, pa.string())], schema=SCHEMA
    )
    load = lake.stage(facts_of("static"))
    load.write(batch)
    with pytest.raises(LakeError, match="OrderNo"):
        load.finish(final_facts(1))
    assert files_below(lake.directory) == []


def test_leaving_without_finish_removes_everything(lake: Lake) -> None:
    with lake.stage(facts_of("static", row_group_rows=1)) as load:
        load.write(batch_of([1]))
        assert files_below(lake.directory) != []
    assert files_below(lake.directory) == []
    load.discard()


def test_nobody_else_may_read_what_is_written(lake: Lake) -> None:
    file = stage(lake, facts_of("static"), [1]).files[0].path
    assert file.stat().st_mode & 0o777 == 0o640
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert lake.directory.stat().st_mode & 0o777 == 0o750
    assert lake.directory.parent.stat().st_mode & 0o777 == 0o750


def test_only_columns_that_repeat_get_a_dictionary() -> None:
    rows = pa.table({"key": range(1000), "colour": ["red", "blue"] * 500, "flag": [True, False] * 500})
    assert dictionary_columns(rows) == ["colour"]


def files_below(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]
