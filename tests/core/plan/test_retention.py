"""Which partitions are out of retention: a pure decision."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.catalog.facts import ColumnFacts, PartitioningFacts, TableFacts
from dltsync_core.committed import CommittedUnits
from dltsync_core.config import PartitionTableConfig
from dltsync_core.config.retention import Retention
from dltsync_core.errors import ConfigError
from dltsync_core.plan.explain import explain, summary
from dltsync_core.plan.partitions import plan_partition_table
from dltsync_core.plan.retention import (
    out_of_retention,
    within_retention,
)
from dltsync_core.plan.selection import check_partitions
from dltsync_core.plan.steps import Action
from dltsync_core.ranges import Side
from tests.core.plan.cases import BASIS, PLAIN, committed_unit, probe
from tests.support.table_facts import column, partitioned, table

NOW = datetime(2024, 6, 15, 12, tzinfo=timezone.utc)
DAY = column("Day", "date", is_nullable=False)
NUMBER = column("No", "int", is_nullable=False)
MONTHS: list[str | None] = ["2024-01-01", "2024-02-01", "2024-03-01", "2024-04-01"]


def facts(
    by: ColumnFacts, boundaries: list[str | None], *, rows: list[int] | None = None, side: Side = "right"
) -> TableFacts:
    found = partitioned(by, boundaries, side)
    rows = rows or [1] * len(found.slots)
    slots = tuple(replace(slot, approx_rows=n) for slot, n in zip(found.slots, rows, strict=True))
    return table(by, partitioning=replace(found, slots=slots))


def config(retention: Retention | None) -> PartitionTableConfig:
    return PartitionTableConfig(table_name="Orders", schema_name="sales", retention=retention)


def windowed(found: TableFacts, now: datetime = NOW, **retention: object) -> PartitioningFacts:
    partitioning = within_retention(found, config(Retention(**retention)), now).partitioning
    assert partitioning is not None
    return partitioning


def keys(partitioning: PartitioningFacts) -> tuple[list[str], list[str]]:
    """Out of retention, and within it."""
    return (
        [slot.range.key for slot in partitioning.out_of_retention],
        [slot.range.key for slot in partitioning.slots],
    )


def test_partitions_made_in_advance_push_nothing_out() -> None:
    found = windowed(facts(NUMBER, ["10", "20", "30", "40"], rows=[1, 1, 0, 1, 0]), partitions=2)
    assert keys(found) == (["(-inf,10)"], ["[10,20)", "[20,30)", "[30,40)", "[40,+inf)"])


def test_partitions_that_were_emptied_leave_with_those_before_the_window() -> None:
    found = windowed(facts(NUMBER, ["10", "20", "30", "40"], rows=[0, 0, 1, 1, 0]), partitions=2)
    assert keys(found) == (["(-inf,10)", "[10,20)"], ["[20,30)", "[30,40)", "[40,+inf)"])
    fewer = windowed(facts(NUMBER, ["10", "20", "30", "40"], rows=[0, 0, 1, 1, 0]), partitions=3)
    assert fewer.out_of_retention == (), "what is filled next may be any of them"


@pytest.mark.parametrize(
    ("side", "limit", "beyond"),
    [
        ("right", "2024-02-01", 2),  # all values of [01-01,02-01) are before it
        ("right", "2024-01-31", 1),
        ("left", "2024-02-01", 1),  # (01-01,02-01] has 02-01 itself
        ("left", "2024-02-02", 2),
    ],
)
def test_a_partition_is_out_when_all_its_values_are_older(side: Side, limit: str, beyond: int) -> None:
    age = NOW.date() - date.fromisoformat(limit)
    assert len(windowed(facts(DAY, MONTHS, side=side), age=age).out_of_retention) == beyond


@pytest.mark.parametrize(
    ("kind", "boundary", "is_out"),
    [
        ("datetime2", "2024-06-05", True),
        ("datetime2", "2024-06-05T00:00:00.0000001", False),
        ("datetime", "2024-06-04T23:59:59.997", True),
        ("smalldatetime", "2024-06-05T00:01:00", False),
        ("datetimeoffset", "2024-06-03T00:00:00-14:00", True),
        ("datetimeoffset", "2024-06-04T00:00:00+00:00", False),
    ],
)
def test_moments_within_the_day_of_the_limit_stay(kind: str, boundary: str, is_out: bool) -> None:
    """The limit is 2024-06-05: ten days before the day in UTC."""
    found = windowed(facts(column("At", kind, is_nullable=False), [boundary]), age=timedelta(days=10))
    assert bool(found.out_of_retention) is is_out


def test_the_current_day_is_that_of_utc() -> None:
    late = datetime(2024, 6, 15, 23, tzinfo=timezone(timedelta(hours=-5)))  # 16 June in UTC
    found = facts(DAY, ["2024-06-15"])
    assert windowed(found, late, age=timedelta(days=1)).out_of_retention
    assert not windowed(found, age=timedelta(days=1)).out_of_retention


def test_with_both_limits_a_partition_is_beyond_both() -> None:
    found = facts(DAY, MONTHS)
    assert len(windowed(found, partitions=2, age=timedelta(days=3650)).out_of_retention) == 0
    assert len(windowed(found, partitions=4, age=timedelta(days=1)).out_of_retention) == 1
    assert len(windowed(found, partitions=1, age=NOW.date() - date(2024, 3, 1)).out_of_retention) == 3


def test_the_partition_of_null_rows_stays() -> None:
    nullable = replace(NUMBER, is_nullable=True)
    found = windowed(facts(nullable, ["10", "20", "30"]), partitions=1)
    assert keys(found) == (["[10,20)", "[20,30)"], ["(-inf,10)", "[30,+inf)"])
    found = windowed(facts(nullable, [None, "10", "20"]), partitions=1)
    assert keys(found) == (["[10,20)"], ["(-inf,null)", "[null,10)", "[20,+inf)"])


def test_an_age_of_numbers_is_refused_with_its_field() -> None:
    with pytest.raises(ConfigError, match=r"retention\.age.*No is int") as caught:
        windowed(facts(NUMBER, ["10"]), age=timedelta(days=9))
    assert "retention.partitions" in str(caught.value.remedy)
    assert "retention.date_format" in str(caught.value.remedy)


@pytest.mark.parametrize(
    ("written", "side", "boundaries", "limit", "beyond"),
    [
        ("yyyymmdd", "right", ["20240101", "20240201"], "2024-02-01", 2),  # [20240101,20240201) ends with 20240131
        ("yyyymmdd", "right", ["20240101", "20240201"], "2024-01-31", 1),
        ("yyyymmdd", "left", ["20231231", "20240131"], "2024-01-31", 1),  # (20231231,20240131] has the 31st itself
        ("yyyymmdd", "left", ["20231231", "20240131"], "2024-02-01", 2),
        (
            "yyyymm",
            "right",
            ["202401", "202402"],
            "2024-01-31",
            1,
        ),  # all of [202401,202402) is January, which is not over
        ("yyyymm", "right", ["202401", "202402"], "2024-02-01", 2),
        ("yyyymm", "left", ["202312", "202401"], "2024-01-31", 1),
        ("yyyymm", "left", ["202312", "202401"], "2024-02-01", 2),
        ("yyyy", "right", ["2023", "2024"], "2023-12-31", 1),
        ("yyyy", "right", ["2023", "2024"], "2024-01-01", 2),
    ],
)
def test_an_age_reads_numbers_that_are_dates(
    written: str, side: Side, boundaries: list[str | None], limit: str, beyond: int
) -> None:
    age = NOW.date() - date.fromisoformat(limit)
    for kind in ("int", "bigint"):
        found = facts(column("Key", kind, is_nullable=False), boundaries, side=side)
        assert len(windowed(found, age=age, date_format=written).out_of_retention) == beyond


@given(
    days=st.lists(st.dates(date(2020, 1, 1), date(2026, 1, 1)), min_size=1, max_size=8, unique=True),
    side=st.sampled_from(["right", "left"]),
    age=st.integers(1, 2000),
)
def test_dates_and_numbers_that_are_dates_have_one_window(days: list[date], side: Side, age: int) -> None:
    by_date = facts(DAY, [day.isoformat() for day in sorted(days)], side=side)
    by_number = facts(NUMBER, [f"{day:%Y%m%d}" for day in sorted(days)], side=side)
    limit = timedelta(days=age)
    one, other = windowed(by_date, age=limit), windowed(by_number, age=limit, date_format="yyyymmdd")
    assert len(one.out_of_retention) == len(other.out_of_retention)


@pytest.mark.parametrize(
    ("by", "boundary", "written", "said", "remedy"),
    [
        (NUMBER, "10", "yyyymmdd", "boundary 10 of No is no such date", "retention.partitions"),
        (NUMBER, "202401", "yyyymmdd", "boundary 202401 of No is no such date", "set the date_format"),
        (NUMBER, "20240230", "yyyymmdd", "boundary 20240230 of No is no such date", "set the date_format"),
        (NUMBER, "202413", "yyyymm", "boundary 202413 of No is no such date", "set the date_format"),
        (DAY, "2024-01-01", "yyyymmdd", "Day is date", "leave date_format out"),
        (column("Code", "nvarchar", is_nullable=False), "20240101", "yyyymmdd", "Code is nvarchar", "partitions"),
    ],
)
def test_boundaries_that_are_no_such_dates_are_refused(
    by: ColumnFacts, boundary: str, written: str, said: str, remedy: str
) -> None:
    """Small numbers would be older than every limit, and all partitions removed."""
    with pytest.raises(ConfigError, match=r"sales\.Orders: retention\.date_format") as caught:
        windowed(facts(by, [boundary]), age=timedelta(days=9), date_format=written)
    assert said in caught.value.problem
    assert remedy in str(caught.value.remedy)


@given(
    rows=st.lists(st.integers(0, 3), min_size=1, max_size=12),
    partitions=st.integers(1, 6),
    side=st.sampled_from(["right", "left"]),
    is_nullable=st.booleans(),
)
def test_as_many_filled_partitions_stay_and_all_after_them(
    rows: list[int], partitions: int, side: Side, is_nullable: bool
) -> None:
    before = facts(
        replace(NUMBER, is_nullable=is_nullable), [str(n * 10) for n in range(1, len(rows))], rows=rows, side=side
    )
    found = windowed(before, partitions=partitions)
    assert before.partitioning is not None
    assert found.all_slots == before.partitioning.slots
    beyond, filled = found.out_of_retention, sum(n > 0 for n in rows)
    numbers = [slot.number for slot in beyond]
    assert numbers == list(range(min(numbers, default=1), max(numbers, default=0) + 1)), "neighbours"
    if beyond:
        newer = [slot for slot in found.slots if slot.number > numbers[-1]]
        assert sum(slot.approx_rows > 0 for slot in newer) >= partitions
        assert newer[0].approx_rows > 0, "the window begins with rows"
        assert not (is_nullable and any(slot.range.holds_null for slot in beyond))
    elif not is_nullable:
        assert (
            filled < partitions
            or rows.index(next(n for n in rows if n)) == [i for i, n in enumerate(rows) if n][-partitions]
        )


@given(
    days=st.lists(st.dates(date(2020, 1, 1), date(2025, 1, 1)), unique=True, min_size=1, max_size=8),
    age=st.integers(1, 2000),
    side=st.sampled_from(["right", "left"]),
    value=st.dates(date(2019, 1, 1), date(2026, 1, 1)),
)
def test_no_value_that_is_young_enough_is_ever_out(days: list[date], age: int, side: Side, value: date) -> None:
    found = windowed(facts(DAY, [day.isoformat() for day in sorted(days)], side=side), age=timedelta(days=age))
    if value < NOW.date() - timedelta(days=age):
        return
    for slot in found.out_of_retention:
        assert slot.range.upper is not None
        assert slot.range.upper.text is not None
        upper = date.fromisoformat(slot.range.upper.text)
        assert value >= upper if side == "right" else value > upper


# -- what follows from it -----------------------------------------------------------------------------------------------


def test_partitions_out_of_retention_are_no_steps_and_the_plan_says_why() -> None:
    window = replace(
        facts(NUMBER, ["10", "20", "30"]), partitioning=windowed(facts(NUMBER, ["10", "20", "30"]), partitions=2)
    )
    committed = CommittedUnits({unit: committed_unit(unit, "partition") for unit in ("(-inf,10)", "[20,30)")}, {})
    plan = plan_partition_table(
        window,
        config(Retention(partitions=2)),
        definition=BASIS,
        probes={3: probe(), 4: probe()},
        committed_units=committed,
        judgements={},
        options=PLAIN,
    )
    assert {step.unit: step.action for step in plan.steps} == {"[20,30)": Action.SKIP, "[30,+inf)": Action.LOAD}
    assert all(step.replaces == () for step in plan.steps)
    beyond = out_of_retention(window, config(Retention(partitions=2)), {"(-inf,10)": 7})
    plan = replace(plan, out_of_retention=beyond)
    assert [(line.unit, line.action, line.rows) for line in explain([plan])][:2] == [
        ("(-inf,10)", "remove", 7),
        ("[10,20)", "skip", 0),
    ]
    assert "newest 2 partitions that hold rows" in explain([plan])[0].reason
    assert summary([plan]).endswith("1 unchanged; 1 out of retention to remove from the warehouse")


def test_a_partition_out_of_retention_that_is_asked_for_is_refused_with_the_reason() -> None:
    found = windowed(facts(NUMBER, ["10", "20", "30"]), partitions=1)
    with pytest.raises(ConfigError, match="out of the retention of its table"):
        check_partitions(["[10,20)"], [found])
    assert check_partitions(["[30,+inf)"], [found]) == {"[30,+inf)"}
