"""A sliding window over partition tables in a SQL Server warehouse: what is out of retention leaves it, and only that."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from dltsync_core import checkpoints
from dltsync_core.clock import utc_now
from dltsync_core.config import PartitionTableConfig
from dltsync_core.config.retention import Retention
from dltsync_core.errors import ConfigError
from tests.integration.sqlserver_warehouse.sliding_tables import (
    DATES,
    INTS,
    assert_settled,
    boundaries,
    change,
    days,
    drop_tables,
    make_tables,
    markers,
    numbers,
    use,
)
from tests.support.sqlserver_shop import TARGET_SCHEMA, SqlServerShop

SIDES = ("RIGHT", "LEFT")


@pytest.fixture(params=SIDES)
def shop(house: SqlServerShop, request: pytest.FixtureRequest) -> Iterator[SqlServerShop]:
    """The shop with two more partition tables, which are loaded alone."""
    make_tables(house, request.param)
    yield house
    drop_tables(house)


def test_partitions_out_of_retention_leave_one_table_and_the_other_stays_whole(shop: SqlServerShop) -> None:
    use(shop)
    assert shop.run().success
    use(shop, ints=Retention(partitions=2))
    with shop.pipeline() as pipeline:
        plan, other = pipeline.plan()
        before = pipeline.validate_all_tables()
    assert [one.rows for one in plan.removals] == [2, 2, 2]
    assert other.out_of_retention == ()
    assert len(numbers(shop)) == 10, "a plan changes nothing"
    assert before["valid"], before
    assert "holds 6 rows out of retention" in before["tables"][0]["notes"][0]

    result = shop.run()
    assert result.success, result["errors"]
    (removed,) = result.removed
    assert (removed.table.table, removed.rows, len(removed.partitions), removed.method) == (INTS, 6, 3, "switch")
    assert result["removed"][0]["rows"] == 6
    assert any("3 partitions out of retention with 6 rows left the warehouse by switch" in n for n in result.notes)
    assert numbers(shop) == [35, 36, 45, 46]
    assert (len(days(shop)), markers(shop, INTS), markers(shop, DATES)) == (5, 3, 6)
    assert (boundaries(shop, INTS), len(boundaries(shop, DATES))) == (["30", "40", "50"], 5)
    assert shop.leftovers() == []

    again = shop.run()
    assert {unit.status for unit in again.units} == {"skipped"}
    assert (again.removed, again["total_records"]) == ((), 0)
    with shop.pipeline() as pipeline:
        (plan, _) = pipeline.plan()
        after, recovered = pipeline.validate_all_tables(), pipeline.recover(dry_run=True)
        keys = pipeline.partition_keys(f"{shop.schema}.{INTS}")
        with pytest.raises(ConfigError, match="out of the retention of its table"):
            pipeline.plan(partition_keys=[plan.out_of_retention[0].unit])
    assert [one.is_removed for one in plan.out_of_retention] == [False, False, False]
    assert all("not read" in one.reason for one in plan.out_of_retention)
    assert not set(keys) & {one.unit for one in plan.out_of_retention}
    assert after["valid"], after
    assert recovered["agreed"], recovered


def test_the_window_slides_and_a_wider_one_is_filled_from_the_lake(shop: SqlServerShop) -> None:
    limit = (utc_now().date() - date(2024, 2, 10)).days
    use(shop, ints=Retention(partitions=3), dates=Retention(age=timedelta(days=limit)))
    first = shop.run()
    assert first.success, first["errors"]
    assert (numbers(shop), first.removed) == ([25, 26, 35, 36, 45, 46], ()), "nothing before the window was ever loaded"
    assert days(shop) == ["2024-02-15", "2024-03-15", "2024-04-15"]

    shop.execute("INSERT INTO {s}.Readings VALUES (55, 'new')")
    shop.execute("UPDATE {s}.Readings SET V = 'changed' WHERE N IN (5, 25, 45)")
    second = shop.run()
    assert second.success, second["errors"]
    assert numbers(shop) == [35, 36, 45, 46, 55]
    assert second["total_records"] == 3, "nothing of a partition before the window is read"
    assert [(one.table.table, one.rows) for one in second.removed] == [(INTS, 2)]

    use(shop, ints=Retention(partitions=4), dates=Retention(age=timedelta(days=limit)))
    shop.execute("UPDATE {s}.Readings SET V = 'b' WHERE N = 25")
    shop.execute("UPDATE {s}.Readings SET V = 'a' WHERE N = 25")
    third = shop.run()
    assert third.success, third["errors"]
    assert numbers(shop) == [25, 26, 35, 36, 45, 46, 55]
    assert third["total_records"] == 0, "the lake still has it"
    with shop.pipeline() as pipeline:
        assert pipeline.validate_all_tables()["valid"]


def test_the_source_repartitions_across_the_edge_of_the_window(
    shop: SqlServerShop, request: pytest.FixtureRequest
) -> None:
    """A partition that reaches into the window is loaded whole, with rows that were removed before; a part of it that lies
    before the window again is read once more, into the lake, and removed from the warehouse. The lake has each row once."""
    is_left = request.node.callspec.params["shop"] == "LEFT"
    use(shop)
    assert shop.run().success
    use(shop, ints=Retention(partitions=2))
    assert shop.run().success
    assert numbers(shop) == [35, 36, 45, 46]
    everything = shop.source_rows(INTS)
    for statement, there, read in (
        ("MERGE RANGE (30)", [25, 26, 35, 36, 45, 46], 4),  # [20,40) is one of the newest two
        ("SPLIT RANGE (30)", [35, 36, 45, 46], 4),
        # The edge is within a partition: RANGE RIGHT has 35 before it.
        ("SPLIT RANGE (36)", [35, 36, 45, 46] if is_left else [36, 45, 46], 2),
        ("MERGE RANGE (40)", [35, 36, 45, 46], 2 if is_left else 3),
    ):
        change(shop, statement)
        result = shop.run()
        assert result.success, (statement, result["errors"])
        assert result["total_records"] == read, statement
        assert numbers(shop) == there, statement
        assert shop.lake_rows(INTS) == everything, statement
        assert_settled(shop, statement)
    use(shop, ints=Retention(partitions=5))
    wider = shop.run()
    assert (wider.success, wider["total_records"]) == (True, 0), "the lake has all rows"
    assert shop.lake_rows(INTS) == everything
    assert numbers(shop) == sorted(number for number, _ in everything)
    assert (shop.source_rows(INTS), len(days(shop)), shop.leftovers()) == (everything, 5, [])


def test_an_age_reads_numbers_that_are_dates(house: SqlServerShop) -> None:
    house.execute("CREATE PARTITION FUNCTION pk_{s} (int) AS RANGE RIGHT FOR VALUES (20240101, 20240201, 20240301)")
    house.execute("CREATE PARTITION SCHEME sk_{s} AS PARTITION pk_{s} ALL TO ([PRIMARY])")
    house.execute("CREATE TABLE {s}.Readings (N int NOT NULL, V varchar(20) NULL) ON sk_{s}(N)")
    for key in (20231231, 20240131, 20240229, 20240315):
        house.execute("INSERT INTO {s}.Readings VALUES (?, 'x')", key)
    house.overrides["scd_tables"] = house.overrides["static_tables"] = []

    def with_limit(day: date, date_format: str | None) -> Retention:
        return Retention(age=utc_now().date() - day, date_format=date_format)

    def use_alone(retention: Retention | None) -> None:
        house.overrides["partition_tables"] = [
            PartitionTableConfig(table_name=INTS, schema_name=house.schema, retention=retention)
        ]

    use_alone(None)
    assert house.run().success
    use_alone(with_limit(date(2024, 2, 1), None))
    failed = house.run()
    assert not failed.success
    assert "set retention.date_format when its numbers are dates" in str(failed["errors"])
    assert len(numbers(house)) == 4, "nothing is removed by a limit that cannot be read"
    use_alone(with_limit(date(2024, 2, 1), "yyyymmdd"))
    result = house.run()
    assert result.success, result["errors"]
    assert [(one.rows, one.method) for one in result.removed] == [(2, "switch")]
    assert numbers(house) == [20240229, 20240315]
    house.execute("DROP TABLE {s}.Readings")
    house.execute("DROP PARTITION SCHEME sk_{s}")
    house.execute("DROP PARTITION FUNCTION pk_{s}")


def test_what_a_stopped_run_left_is_removed_by_the_next(shop: SqlServerShop) -> None:
    use(shop)
    assert shop.run().success
    use(shop, ints=Retention(partitions=2))

    def stop(step: str) -> None:
        if step == checkpoints.PARTITIONS_REMOVED:
            raise RuntimeError("stopped")

    with checkpoints.watched(stop):
        failed = shop.run()
    assert [(unit.unit, unit.status) for unit in failed.failed] == [("all", "failed")]
    assert numbers(shop) == [35, 36, 45, 46]
    assert len(boundaries(shop, INTS)) == 5
    with shop.pipeline() as pipeline:
        assert pipeline.plan()[0].boundaries_to_merge == 2
    result = shop.run()
    assert result.success, result["errors"]
    assert [(one.rows, one.boundaries) for one in result.removed] == [(0, 2)]
    assert boundaries(shop, INTS) == ["30", "40", "50"]
    assert shop.leftovers() == []


def test_nothing_is_removed_from_a_table_of_which_a_unit_failed(house: SqlServerShop) -> None:
    make_tables(house, "RIGHT")
    use(house)
    assert house.run().success
    use(house, ints=Retention(partitions=2), dates=Retention(age=timedelta(days=1)))
    house.execute("INSERT INTO {s}.Readings VALUES (47, 'new')")
    house.target_query(f"ALTER TABLE {TARGET_SCHEMA}.{INTS} ADD CONSTRAINT ck CHECK (N <> 47)")
    result = house.run()
    assert [unit.table.table for unit in result.failed] == [INTS]
    assert [one.table.table for one in result.removed] == [DATES]
    assert len(numbers(house)) == 10
    assert days(house) == []
    drop_tables(house)
