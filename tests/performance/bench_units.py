"""What a unit costs beside its rows, and a run in which nothing changed.

The baseline of small units is the same table in a tenth of the partitions: a partition of many must cost what one of few costs,
else something looks at all partitions for each of them, and a table of thousands takes hours.
"""

from __future__ import annotations

from tests.performance.conftest import Bench
from tests.performance.tables import NARROW, create

ROWS = 20
"""Rows of a small partition."""
FEWER = 10
"""How many times fewer partitions the table of the baseline has."""
UNITS = "A table of partitions of 20 rows; 1 = a table of a tenth of the partitions"
UNCHANGED = "Static tables of 20 rows; 1 = their first load"


def test_many_small_partitions(bench: Bench) -> None:
    few = max(bench.units // FEWER, 2)
    costs = {}
    for partitions in (few, bench.units):
        table = f"small_{partitions}"
        create(bench.server, table, NARROW, partitions * ROWS, partitions)
        arguments = {"database": bench.database, "tables": [table]}
        costs[partitions] = first = bench.measure("pipeline", arguments)
        assert first.result["units"] == {"committed": partitions}
        assert first.result["rows"] == partitions * ROWS
    before, after = costs[few], costs[bench.units]
    growth = (after.cpu / bench.units) / (before.cpu / few)
    bench.report.add(UNITS, f"{few} partitions", before, remark=f"{1000 * before.cpu / few:.0f} ms each")
    fixed = (after.cpu - before.cpu) / max(bench.units - few, 1)
    remark = f"{1000 * after.cpu / bench.units:.0f} ms each, {1000 * fixed:.0f} ms for each more (aim: 50); growth {growth:.2f}"
    bench.report.add(UNITS, f"{bench.units} partitions", after, before, remark)


def test_unchanged_tables(bench: Bench) -> None:
    tables = [f"static_{number}" for number in range(bench.tables)]
    for table in tables:
        create(bench.server, table, NARROW, ROWS)
    arguments = {"database": bench.database, "tables": tables, "kind": "static_tables"}
    first = bench.measure("pipeline", arguments)
    assert first.result["units"] == {"committed": bench.tables}
    bench.report.add(UNCHANGED, f"{bench.tables} tables, first load", first)
    both = bench.measure("pipeline", {**arguments, "measured_run": 2})
    assert both.result["units"] == {"skipped": bench.tables}
    bench.report.add(UNCHANGED, "nothing changed", both, first, f"{1000 * both.cpu / bench.tables:.0f} ms a table")
