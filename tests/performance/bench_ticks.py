"""What a tick of the sensor costs in Dagster, over a table of many partitions: the server's and the ledger's part is measured by
`measure_ticks`, here both are fakes.

The baseline is the same tick over a table of a tenth of the partitions. How much more processor time ten times the partitions
take says what a tick looks at for each of them; the statements to Dagster's database must not become more at all.
"""

from __future__ import annotations

from dataclasses import replace

from tests.performance.conftest import Bench

FEWER = 10
"""How many times fewer partitions the table of the baseline has."""
PARTITIONS_PER_UNIT = 150
"""A table has so many times the partitions that `--bench-units` says: by default 15,000, the most that SQL Server allows."""


def test_ticks_of_many_partitions(bench: Bench) -> None:
    many = bench.units * PARTITIONS_PER_UNIT
    few = many // FEWER
    section = f"A tick over {many:,} partitions; 1 = the same tick over {few:,}"
    costs = {partitions: bench.measure("dagster_ticks", {"partitions": partitions}) for partitions in (few, many)}
    for name, cost in costs[many].result.items():
        baseline = costs[few].result[name]
        bench.report.add(
            section,
            name,
            replace(costs[many], cpu=cost["cpu"]),
            replace(costs[few], cpu=baseline["cpu"]),
            f"{cost['statements']} statements to Dagster's database, {cost['seconds']:.1f} s by the clock",
        )
        if name != "the first":  # it reads events, so many of them at most
            assert cost["statements"] == baseline["statements"], (name, "grows with the number of partitions")
