"""A load into a SQL Server warehouse, beside other ways of bringing the same rows there.

The ways that send rows as statements have a table of few rows: the sandbox executes those one by one. What a server does with the
rows and what a network costs is not in these figures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pyodbc
import pytest

from tests.performance.conftest import Bench
from tests.support.sqlserver_warehouse import sandbox_warehouse

FEWER = 500
"""How many times fewer rows the ways have that send statements."""
NAMES = {
    "dltsync": "dltsync: file of the lake, bulkcopy_arrow, SWITCH",
    "bulkcopy": "mssql-python bulkcopy of tuples",
    "fast_executemany": "pyodbc fast_executemany",
    "dlt": "dlt's mssql destination",
}
SECTION = "Loading {rows:,} rows x 3 columns into SQL Server; 1 = {baseline}"


@pytest.fixture
def warehouse(bench: Bench, tmp_path: Path) -> Iterator[str]:
    """A database for the test, by its name."""
    with sandbox_warehouse(bench.server, tmp_path) as house:
        yield house.database


def test_rows_as_bulk_copy(bench: Bench, warehouse: str) -> None:
    compare(bench, warehouse, bench.rows // 5, ["bulkcopy", "dltsync"])


def test_rows_as_statements(bench: Bench, warehouse: str) -> None:
    compare(bench, warehouse, bench.rows // FEWER, ["fast_executemany", "dlt", "bulkcopy", "dltsync"])


def compare(bench: Bench, warehouse: str, rows: int, ways: Sequence[str]) -> None:
    """The first way is the baseline of the others."""
    section = SECTION.format(rows=rows, baseline=NAMES[ways[0]])
    strings = {
        "database": {**bench.database, "database": warehouse},
        "odbc": bench.server.odbc(database=warehouse, encrypt=False),
        "connection_string": bench.server.connection_string(database=warehouse, encrypt=False),
    }
    baseline = None
    for way in ways:
        cost = bench.measure("into_sqlserver", {**strings, "way": way, "rows": rows})
        with closing(pyodbc.connect(strings["odbc"], autocommit=True)) as connection:
            sums = f"SELECT COUNT(*), SUM(CAST(No AS bigint)), CAST(SUM(Amount) AS bigint) FROM {cost.result['table']}"
            total = rows * (rows - 1) // 2
            assert tuple(connection.execute(sums).fetchone() or ()) == (rows, total, total)
        bench.report.add(section, NAMES[way], cost, baseline, f"{rows / max(cost.cpu, 1e-9):,.0f} rows per CPU s")
        baseline = baseline or cost
