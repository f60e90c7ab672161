"""The peak of resident memory: the same for ten times the rows, for ten times the columns, and lower with a lower limit."""

from __future__ import annotations

from typing import Any

from dltsync_core.config.memory_budget import least_memory_mb
from tests.performance.conftest import Bench
from tests.performance.measure import Cost
from tests.performance.tables import NARROW, create, wide

SECTION = "Peak memory; 1 = the processor time of the line above, and on the right the ratio of the peaks"
WORKERS = 1
LEAST = {"memory_limit_mb": least_memory_mb(WORKERS), "max_workers": WORKERS}
GENEROUS = {"memory_limit_mb": 4 * least_memory_mb(WORKERS), "max_workers": WORKERS}
COLUMNS = 100


def test_ten_times_the_rows(bench: Bench) -> None:
    few, many = (
        _loaded(bench, f"rows_{rows}", NARROW, rows, LEAST, "amount") for rows in (bench.rows, 10 * bench.rows)
    )
    _compared(bench, f"{bench.rows:,} narrow rows", few, f"{10 * bench.rows:,} rows", many)


def test_ten_times_the_columns(bench: Bench) -> None:
    """Of a fifth of the rows: a hundred columns make them as many bytes as the narrow rows of the other test."""
    rows = max(bench.rows // 5, 1)
    few, many = (
        _loaded(bench, f"columns_{columns}", wide(columns), rows, LEAST, "id") for columns in (COLUMNS // 10, COLUMNS)
    )
    _compared(bench, f"{COLUMNS // 10} columns, {rows:,} rows", few, f"{COLUMNS} columns", many)


def test_a_lower_limit(bench: Bench) -> None:
    rows = max(bench.rows // 5, 1)
    table, columns = f"limited_{COLUMNS}", wide(COLUMNS)
    create(bench.server, table, columns, rows, 2)
    generous, least = (_run(bench, table, processing, "id") for processing in (GENEROUS, LEAST))
    names = [f"memory_limit_mb {processing['memory_limit_mb']}" for processing in (GENEROUS, LEAST)]
    _compared(bench, f"{names[0]}, {COLUMNS} columns", generous, names[1], least)


def _loaded(
    bench: Bench, table: str, columns: dict[str, str], rows: int, processing: dict[str, int], amount: str
) -> Cost:
    create(bench.server, table, columns, rows, 2)
    cost = _run(bench, table, processing, amount)
    assert cost.result["rows"] == rows
    return cost


def _run(bench: Bench, table: str, processing: dict[str, int], amount: str) -> Cost:
    arguments: dict[str, Any] = {"database": bench.database, "tables": [table], "processing": processing}
    # Counting detects the changes: hashing ten million rows is the sandbox's work, not ours.
    return bench.measure("pipeline", {**arguments, "settings": {"change_detection": "row_count"}, "amount": amount})


def _compared(bench: Bench, name: str, cost: Cost, other_name: str, other: Cost) -> None:
    bench.report.add(SECTION, name, cost)
    remark = f"peak {other.peak_mb / cost.peak_mb:.2f} of it"
    bench.report.add(SECTION, other_name, other, cost, remark)
