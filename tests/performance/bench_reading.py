"""Reading in slices, and validation, against reading the same rows by one statement."""

from __future__ import annotations

from dataclasses import replace

from tests.performance.conftest import Bench
from tests.performance.measure import Cost
from tests.performance.tables import TWELVE, create

SLICES = (4, 16)
READING = "Reading {rows:,} rows x 12 columns; 1 = by one statement"
ENCODING = "The sandbox's encoding of {rows:,} rows x 12 columns; 1 = Arrow's own stream"
VALIDATION = "Steps of a validation of {rows:,} rows x 12 columns; 1 = reading the rows"


def test_slices(bench: Bench) -> None:
    create(bench.server, "sliced", TWELVE, bench.rows)
    arguments = {"database": bench.database, "table": "sliced", "rows": bench.rows}
    section = READING.format(rows=bench.rows)
    whole = bench.measure("reading", arguments)
    assert whole.result == {"rows": bench.rows, "statements": 1}
    bench.report.add(section, "one statement", whole)
    for slices in SLICES:
        cost = bench.measure("reading", {**arguments, "slices": slices})
        assert cost.result["rows"] == bench.rows
        assert cost.result["statements"] >= slices
        bench.report.add(section, f"{slices} slices", cost, whole)


def test_validation(bench: Bench) -> None:
    """A genuine server adds up and hashes in its own time: measured is what the client does."""
    rows = max(bench.rows // 5, 1)
    create(bench.server, "validated", TWELVE, rows)
    cost = bench.measure("validation", {"database": bench.database, "table": "validated", "rows": rows})
    _add_steps(bench, VALIDATION.format(rows=rows), cost)


def test_sandbox_encoding(bench: Bench) -> None:
    rows = max(bench.rows // 5, 1)
    _add_steps(bench, ENCODING.format(rows=rows), bench.measure("sandbox_encoding", {"rows": rows}))


def _add_steps(bench: Bench, section: str, cost: Cost) -> None:
    """Steps that a side measured itself: the first is the baseline of the others."""
    (first, seconds), *steps = cost.result.items()
    baseline = replace(cost, cpu=seconds)
    bench.report.add(section, first, baseline)
    for name, cpu in steps:
        bench.report.add(section, name, replace(cost, cpu=cpu), baseline)
