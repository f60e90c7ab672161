"""The key check of a load: every key once and none with NULL, whatever the types, the names and the number of files."""

from __future__ import annotations

import uuid
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dltsync_core.config.memory_budget import LEAST_SCRATCH
from dltsync_core.errors import LakeError, ValidationFailed
from dltsync_core.warehouse.duckdb.keys import NAMED_ROWS, MergeKey, check_keys


def written(root: Path, *tables: pa.Table) -> list[Path]:
    paths = [root / f"{uuid.uuid4().hex}.parquet" for _ in tables]
    for path, table in zip(paths, tables, strict=True):
        pq.write_table(table, path, version="2.6", write_page_checksum=True)
    return paths


def key(*columns: str, named_by: tuple[str, ...] = ()) -> MergeKey:
    return MergeKey("sales.Customers", columns, "business_key_columns", named_by)


def refused(files: list[Path], asked: MergeKey) -> ValidationFailed:
    with pytest.raises(ValidationFailed) as caught:
        check_keys(asked, "all", files, LEAST_SCRATCH)
    return caught.value


MOMENT = datetime(2026, 1, 2, 3, 4, 5)
VALUES: dict[str, tuple[pa.DataType, Any, Any, str]] = {
    "whole number": (pa.int64(), 7, 8, "7"),
    "text": (pa.string(), 'it\'s "one"', 'It\'s "one"', 'it\'s "one"'),
    "binary": (pa.binary(), b"\x01\xff", b"\x01", "0x01FF"),
    "decimal": (pa.decimal128(38, 4), Decimal("1.5"), Decimal("1.5001"), "1.5000"),
    "nanoseconds": (pa.timestamp("ns"), MOMENT, datetime(2026, 1, 2), "2026-01-02 03:04:05.000000000"),
    "moment in UTC": (
        pa.timestamp("us", tz="UTC"),
        MOMENT.replace(tzinfo=timezone.utc),
        datetime(2026, 1, 2, tzinfo=timezone.utc),
        "2026-01-02 03:04:05.000000Z",
    ),
    "bit": (pa.bool_(), True, False, "true"),
    "uuid": (pa.uuid(), uuid.UUID(int=0xAB << 120), uuid.UUID(int=0), "AB000000-0000-0000-0000-000000000000"),
}


@pytest.mark.parametrize("kind", list(VALUES))
@pytest.mark.parametrize("position", [0, 1])
def test_null_and_repeated_keys_are_named_whatever_their_type(kind: str, position: int, tmp_path: Path) -> None:
    arrow_type, value, other, said = VALUES[kind]

    def rows(*keys: Any) -> pa.Table:
        numbers = pa.array([1] * len(keys), pa.int32())
        columns = {"Key": pa.array(keys, arrow_type), "Line": numbers}
        return pa.table(columns if position == 0 else dict(reversed(columns.items())))

    columns = ("Key", "Line") if position == 0 else ("Line", "Key")
    check_keys(key(*columns), "all", written(tmp_path, rows(value, other)), LEAST_SCRATCH)
    error = refused(written(tmp_path, rows(value, other, None, value)), key(*columns))
    assert "1 row has NULL in the key" in error.problem
    assert "Key = NULL" in error.problem
    assert f"1 row repeats the key ({', '.join(columns)}) of another row: " in error.problem
    assert f"Key = {said}" in error.problem
    assert "(2 rows)" in error.problem
    assert "business_key_columns" in error.remedy


def test_a_key_in_two_files_of_one_load_is_repeated(tmp_path: Path) -> None:
    files = written(tmp_path, pa.table({"No": [1, 2]}), pa.table({"No": [3, 1]}))
    assert "No = 1 (2 rows)" in refused(files, key("No")).problem


def test_columns_may_be_called_anything(tmp_path: Path) -> None:
    names = ["n", "k0", 'a "b"', "K1 "]
    table = pa.table([pa.array([1, 1])] * len(names), names=names)
    check_keys(key(*names, "z"), "all", written(tmp_path, table.append_column("z", pa.array([1, 2]))), LEAST_SCRATCH)
    assert ", ".join(f"{name} = 1" for name in names) in refused(written(tmp_path, table), key(*names)).problem


def test_a_load_without_rows_has_no_bad_key(tmp_path: Path) -> None:
    check_keys(key("No"), "all", written(tmp_path, pa.table({"No": pa.array([], pa.int32())})), LEAST_SCRATCH)


def test_a_row_is_named_by_other_columns_when_its_key_is_null(tmp_path: Path) -> None:
    files = written(tmp_path, pa.table({"RowNo": [5, 6], "No": pa.array([None, 1], pa.int32()), "Other": ["x", "y"]}))
    error = refused(files, key("No", named_by=("RowNo",)))
    assert "1 row has NULL in the key (No): RowNo = 5, No = NULL" in error.problem
    assert "Other" not in error.problem


def test_a_handful_is_named_in_order_and_the_rest_is_counted(tmp_path: Path) -> None:
    numbers = [*range(100), *range(100), *range(50)]
    error = refused(written(tmp_path, pa.table({"No": numbers})), key("No"))
    assert "150 rows repeat the key (No) of another row: No = 0 (3 rows); No = 1 (3 rows)" in error.problem
    assert error.problem.count("No = ") == NAMED_ROWS
    assert f"; and {100 - NAMED_ROWS} more" in error.problem


def test_a_long_value_is_cut(tmp_path: Path) -> None:
    error = refused(written(tmp_path, pa.table({"Code": ["x" * 5000] * 2})), key("Code"))
    assert f"Code = {'x' * 80}… (2 rows)" in error.problem


def test_a_damaged_file_is_told_as_such(tmp_path: Path) -> None:
    (path,) = written(tmp_path, pa.table({"No": list(range(1000))}))
    content = bytearray(path.read_bytes())
    content[200] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(LakeError, match="cannot be read while keys are counted"):
        check_keys(key("No"), "all", [path], LEAST_SCRATCH)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.none() | st.integers(0, 3), st.none() | st.sampled_from(["", "a", "A", "a "])), max_size=8)
)
def test_rows_are_refused_when_a_set_would_tell(tmp_path: Path, rows: list[tuple[int | None, str | None]]) -> None:
    """Also spellings that some collation takes for one are different keys: the merge compares them so."""
    table = pa.table(
        {"a": pa.array([a for a, _ in rows], pa.int32()), "b": pa.array([b for _, b in rows], pa.string())}
    )
    files = written(tmp_path, table)
    bad = any(None in row for row in rows) or len(set(rows)) != len(rows)
    if bad:
        refused(files, key("a", "b"))
    else:
        check_keys(key("a", "b"), "all", files, LEAST_SCRATCH)
