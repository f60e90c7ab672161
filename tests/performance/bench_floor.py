"""dltsync, dlt's own source and two other readers against the floor: the bare driver, one Parquet file, one CREATE TABLE AS."""

from __future__ import annotations

from typing import Any

import pytest

from tests.performance.conftest import Bench
from tests.performance.measure import Cost
from tests.performance.tables import TWELVE, create

SECTION = "Server to DuckDB, {rows:,} rows x 12 columns; 1 = the floor"
AIMS = {2: "", 12: "aim: at most 1.6", 48: "aim: at most 2.2"}

_floor: dict[int, Cost] = {}


@pytest.fixture
def floor(bench: Bench) -> Cost:
    """Measured once in a run: by this process's first benchmark of this file."""
    if bench.rows not in _floor:
        create(bench.server, "twelve", TWELVE, bench.rows)
        cost = bench.measure("floor", {"connection_string": bench.connection_string, "table": "twelve"})
        _floor[bench.rows] = cost
        bench.report.add(SECTION.format(rows=bench.rows), "the floor", cost)
    return _floor[bench.rows]


@pytest.mark.parametrize("partitions", [2, 12, 48])
def test_dltsync(bench: Bench, floor: Cost, partitions: int) -> None:
    table = f"twelve_{partitions}"
    create(bench.server, table, TWELVE, bench.rows, partitions)
    cost = bench.measure("pipeline", {"database": bench.database, "tables": [table]})
    assert cost.result == {**floor.result, "units": {"committed": partitions}}
    name = f"dltsync, {partitions} partitions"
    bench.report.add(SECTION.format(rows=bench.rows), name, cost, floor, AIMS[partitions])


OTHERS: dict[str, str] = {
    "dlt_sql_database": "dlt sql_database (pyarrow backend)",
    "connectorx_read": "connectorx, otherwise as the floor",
    "arrow_odbc_read": "arrow-odbc, otherwise as the floor",
}


@pytest.mark.parametrize("side", OTHERS)
def test_another_way(bench: Bench, floor: Cost, side: str) -> None:
    arguments: dict[str, Any] = {"odbc": bench.odbc, "database": bench.database, "table": "twelve"}
    cost = bench.measure(side, arguments)
    assert cost.result == floor.result
    bench.report.add(SECTION.format(rows=bench.rows), OTHERS[side], cost, floor)
