"""Which loads hold a moment that a warehouse column in nanoseconds does not reach, told by footers, then by rows."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dltsync_core.errors import DriftError
from dltsync_core.plan.steps import ReplaceTable
from dltsync_core.warehouse.duckdb.nanosecond_range import far_columns, first_far, too_narrow
from tests.support.local_warehouse import TARGET, LocalWarehouse, one_row

LAST_US = (2**63 - 1) // 1000
FIRST_US = -9_223_286_400_000_000


def written(path: Path, unit: Any, counts: list[int | None], **options: Any) -> Path:
    table = pa.table({"No": pa.array(range(len(counts)), pa.int32()), "At": pa.array(counts, pa.timestamp(unit))})
    pq.write_table(table, path, version="2.6", **options)
    return path


@pytest.mark.parametrize(
    ("unit", "counts", "number"),
    [
        ("us", [0, LAST_US], None),
        ("us", [0, None, LAST_US + 1], 2),
        ("us", [FIRST_US - 1, 0], 0),
        ("us", [FIRST_US, LAST_US], None),
        ("ms", [0, FIRST_US // 1000 - 1], 1),
        ("ms", [253_402_300_799_997], 0),
        ("ms", [0, None], None),
        ("us", [None, None], None),
        ("us", [], None),
        ("ns", [2**63 - 1], None),
    ],
)
@pytest.mark.parametrize("options", [{}, {"write_statistics": False}, {"row_group_size": 1}])
def test_a_moment_out_of_reach_is_found(
    tmp_path: Path, unit: str, counts: list[int | None], number: int | None, options: dict[str, Any]
) -> None:
    file = written(tmp_path / "a.parquet", unit, counts, **options)
    suspects = far_columns([file], pq.read_schema(file))
    if "write_statistics" not in options:
        assert suspects == ([] if number is None else ["At"])
    rows = [row for row in (first_far([file], column, ["No"]) for column in suspects) if row is not None]
    assert bool(rows) is (number is not None)
    if rows:
        assert rows[0].column("No").to_pylist() == [number]


def test_only_columns_in_nanoseconds_are_too_narrow() -> None:
    held = {"AT": "TIMESTAMP_NS", "Other": "TIMESTAMP"}
    assert too_narrow(["At", "Other", "New"], held) == ["At"]


def test_what_only_duckdb_finds_is_told_as_what_it_is(house: LocalWarehouse) -> None:
    """The run asks before; whoever loads without asking gets a refusal that names the table, and the table stays."""
    house.load(TARGET, one_row(1, pa.timestamp("ns"), datetime(2026, 1, 1)))
    with pytest.raises(
        DriftError, match=r"sales.Orders has a column in the warehouse that cannot hold a value of this load"
    ):
        house.load(TARGET, one_row(1, pa.timestamp("us"), datetime(9999, 12, 31)), how=ReplaceTable())
    assert house.query('SELECT "Value" FROM sales."Orders"') == [(datetime(2026, 1, 1),)]
