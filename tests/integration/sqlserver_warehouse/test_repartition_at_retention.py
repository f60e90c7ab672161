"""The source splits and merges partitions at the edge of a table's window: the lake has all rows once, the warehouse those of
the window, whatever was loaded before and wherever the run was killed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from dltsync_core import checkpoints
from dltsync_core.clock import utc_now
from dltsync_core.config import PartitionTableConfig, StaticTableConfig
from dltsync_core.config.retention import Retention
from dltsync_core.run.events import Event
from dltsync_core.run.result import RunResult
from tests.integration.sqlserver_warehouse.sliding_tables import (
    DATES,
    INTS,
    assert_settled,
    change,
    days,
    drop_tables,
    make_tables,
    markers,
    numbers,
    use,
)
from tests.support.forks import Forks
from tests.support.killed import die_at
from tests.support.server_shop import Rows, Server
from tests.support.sqlserver_shop import SqlServerShop

TWO = Retention(partitions=2)
OF_ALL = [5, 6, 15, 16, 25, 26, 35, 36, 45, 46]


@pytest.fixture
def shop(house: SqlServerShop) -> Iterator[SqlServerShop]:
    make_tables(house, "RIGHT")
    yield house
    drop_tables(house)


def in_lake(house: SqlServerShop) -> list[int]:
    return sorted(number for number, _ in house.lake_rows(INTS))


def split_at_the_edge(house: SqlServerShop) -> Rows:
    """[20,40) reaches into the window of the two newest partitions and is loaded, then it is split at 30, where the window
    begins. All rows of the source."""
    use(house)
    assert house.run().success
    change(house, "MERGE RANGE (30)")
    use(house, ints=TWO)
    assert house.run().success
    assert numbers(house) == [25, 26, 35, 36, 45, 46]
    change(house, "SPLIT RANGE (30)")
    return house.source_rows(INTS)


def run_and_be_killed(payload: dict[str, Any]) -> None:
    """The work of a fork: this process ends at the n-th time that a step is reached."""
    house = SqlServerShop(Server(**payload["server"]), Path(payload["root"]), Server(**payload["target"]))
    house.schema = payload["schema"]
    use(house, ints=TWO)
    with checkpoints.watched(die_at(payload["step"], time=payload["times"])):
        house.run()


def killed(house: SqlServerShop, forks: Forks, step: str, times: int) -> None:
    payload = {
        "server": asdict(house.server),
        "target": asdict(house.target),
        "root": str(house.root),
        "schema": house.schema,
        "step": step,
        "times": times,
    }
    ended = forks.run(f"{__name__}:run_and_be_killed", payload)
    assert ended.status == -signal.SIGKILL, (ended.stdout, ended.stderr)


@pytest.mark.xdist_group("forks")
@pytest.mark.survives(
    "crash",
    "kill -9 while the parts of a partition that reached into the window of a retention are loaded, before the window and "
    "within it: read, published, loaded, committed, removed from the SQL Server warehouse again",
    "the next run finishes, also when the window has passed all of them by then",
    "the lake has every row once, the warehouse those of the window",
)
@pytest.mark.parametrize("passed", [False, True], ids=["same window", "the window has passed"])
@pytest.mark.parametrize(
    ("step", "times"),
    [
        (checkpoints.EXTRACTED, 2),
        (checkpoints.MANIFEST_WRITTEN, 1),
        (checkpoints.PUBLISHED, 1),
        (checkpoints.LOADED, 1),
        (checkpoints.VALIDATED, 2),
        (checkpoints.COMMITTED, 1),
        (checkpoints.PARTITIONS_REMOVED, 1),
    ],
)
def test_the_run_after_a_kill_finishes(shop: SqlServerShop, forks: Forks, step: str, times: int, passed: bool) -> None:
    everything = split_at_the_edge(shop)
    killed(shop, forks, step, times)
    window = [35, 36, 45, 46]
    if passed:
        shop.execute("INSERT INTO {s}.Readings VALUES (55, 'new')")
        everything, window = shop.source_rows(INTS), [45, 46, 55]
    result = shop.run()
    assert result.success, result["errors"]
    assert shop.lake_rows(INTS) == everything
    assert numbers(shop) == window
    assert_settled(shop)
    assert len(days(shop)) == 5


def test_the_parts_are_in_the_lake_as_units_of_their_own(shop: SqlServerShop) -> None:
    everything = split_at_the_edge(shop)
    with shop.pipeline() as pipeline:
        plan, _ = pipeline.plan()
        keys = pipeline.partition_keys(f"{shop.schema}.{INTS}")
        pending, recovered = pipeline.validate_all_tables(), pipeline.recover(dry_run=True)
    assert [step.unit for step in plan.work] == ["[20,30)", "[30,40)"]
    assert "read for the lake, and removed from the warehouse" in plan.work[0].reason
    assert "[20,30)" not in keys
    assert not pending["valid"], "the lake still shows [20,40)"
    assert recovered["rows_to_read"] == 4

    only_one = shop.run(partition_keys=["[30,40)"])
    assert only_one.success, only_one["errors"]
    assert [(one.partitions, one.rows) for one in only_one.removed] == [({"[20,30)": 2}, 2)]
    assert shop.lake_rows(INTS) == everything
    assert numbers(shop) == [35, 36, 45, 46]
    assert markers(shop, INTS) == 3
    assert_settled(shop)
    with shop.pipeline() as pipeline:
        assert {"[20,30)", "[30,40)"} <= set(pipeline.committed(f"{shop.schema}.{INTS}"))
        with pipeline.read(f"{shop.schema}.{INTS}", partition_keys=["[20,30)"], read_from="lake") as reader:
            assert reader.read_all().num_rows == 2

    shop.execute("UPDATE {s}.Readings SET V = 'changed' WHERE N = 25")
    assert shop.run()["total_records"] == 0, "it is out of retention like any other"
    use(shop, ints=Retention(partitions=3))
    assert shop.run()["total_records"] == 2
    assert numbers(shop) == [25, 26, 35, 36, 45, 46]


def test_a_run_that_another_one_overtakes_reads_no_part_again(shop: SqlServerShop) -> None:
    everything = split_at_the_edge(shop)
    others: list[RunResult] = []

    def overtake(event: Event) -> None:
        if event.stage == "planned" and event.table.table == INTS and not others:
            others.append(shop.run())

    result = shop.run(on_event=overtake)
    assert [other.success for other in others] == [True]
    assert result.success, result["errors"]
    parts = {unit.unit: unit for unit in result.units if unit.unit in ("[20,30)", "[30,40)")}
    assert {unit.status for unit in parts.values()} == {"skipped"}
    assert "another run was at it meanwhile; out of retention" in parts["[20,30)"].reason
    assert result["total_records"] == 0
    assert (shop.lake_rows(INTS), numbers(shop)) == (everything, [35, 36, 45, 46])
    assert_settled(shop)


def test_what_the_source_no_longer_has_leaves_the_lake_with_the_partition_that_had_it(shop: SqlServerShop) -> None:
    """As it does without a retention: a partition that takes over rows is what the source has at that moment."""
    split_at_the_edge(shop)
    shop.execute("DELETE FROM {s}.Readings WHERE N IN (25, 26)")
    assert shop.run().success
    assert in_lake(shop) == [5, 6, 15, 16, 35, 36, 45, 46], "[20,30) is as the source has it"
    assert_settled(shop)


def test_a_lost_ledger_is_rebuilt_before_the_parts_are_read(shop: SqlServerShop) -> None:
    everything = split_at_the_edge(shop)
    for path in (shop.root / "state").glob("*.db*"):
        path.unlink()
    result = shop.run()
    assert result.success, result["errors"]
    assert shop.lake_rows(INTS) == everything
    assert numbers(shop) == [35, 36, 45, 46]
    assert_settled(shop)


def test_a_merge_into_the_window_reads_no_partition_that_was_never_loaded(shop: SqlServerShop) -> None:
    use(shop, ints=Retention(partitions=3))
    assert shop.run().success
    shop.execute("INSERT INTO {s}.Readings VALUES (55, 'new')")
    assert shop.run().success
    assert (numbers(shop), in_lake(shop)) == ([35, 36, 45, 46, 55], [*OF_ALL[4:], 55])
    for statement, read, lake, there in (
        ("MERGE RANGE (30)", 4, [*OF_ALL[4:], 55], OF_ALL[4:]),  # [20,30) out of retention, into [30,40)
        ("MERGE RANGE (20)", 6, [*OF_ALL[2:], 55], OF_ALL[2:]),  # [10,20) was never loaded
        ("SPLIT RANGE (15)", 6, [*OF_ALL[2:], 55], OF_ALL[2:]),  # [10,15) holds nothing
        ("SPLIT RANGE (26)", 6, [*OF_ALL[2:], 55], OF_ALL[5:]),
    ):
        change(shop, statement)
        result = shop.run()
        assert result.success, (statement, result["errors"])
        assert result["total_records"] == read, statement
        assert (in_lake(shop), numbers(shop)) == (lake, [*there, 55]), statement
        assert_settled(shop, statement)


def test_both_tables_split_at_their_edges_in_one_run(shop: SqlServerShop) -> None:
    limit = Retention(age=utc_now().date() - date(2024, 2, 1))
    everything = split_at_the_edge(shop)
    shop.execute("ALTER PARTITION FUNCTION pd_{s}() MERGE RANGE ('2024-02-01')")
    use(shop, ints=TWO, dates=limit)
    assert shop.run().success
    assert days(shop) == ["2024-01-15", "2024-02-15", "2024-03-15", "2024-04-15"]
    shop.execute("ALTER PARTITION SCHEME sd_{s} NEXT USED [PRIMARY]")
    shop.execute("ALTER PARTITION FUNCTION pd_{s}() SPLIT RANGE ('2024-02-01')")
    change(shop, "MERGE RANGE (30)")
    assert shop.run().success
    change(shop, "SPLIT RANGE (30)")
    assert shop.run().success
    assert days(shop) == ["2024-02-15", "2024-03-15", "2024-04-15"]
    assert numbers(shop) == [35, 36, 45, 46]
    assert (shop.lake_rows(INTS), shop.lake_rows(DATES)) == (everything, shop.source_rows(DATES))
    assert_settled(shop)


@pytest.mark.parametrize("side", ["RIGHT", "LEFT"])
def test_the_partition_of_null_rows_is_split_and_one_part_is_out_of_retention(house: SqlServerShop, side: str) -> None:
    house.execute(f"CREATE PARTITION FUNCTION pi_{{s}} (int) AS RANGE {side} FOR VALUES (20, 30, 40)")
    house.execute("CREATE PARTITION SCHEME si_{s} AS PARTITION pi_{s} ALL TO ([PRIMARY])")
    house.execute("CREATE TABLE {s}.Readings (N int NULL, V varchar(20) NULL) ON si_{s}(N)")
    house.execute("INSERT INTO {s}.Readings VALUES (NULL, 'x'), (5, 'a'), (15, 'b'), (25, 'c'), (35, 'd'), (45, 'e')")

    def use_alone(retention: Retention | None) -> None:
        house.overrides["partition_tables"] = [
            PartitionTableConfig(table_name=INTS, schema_name=house.schema, retention=retention)
        ]
        house.overrides["scd_tables"] = house.overrides["static_tables"] = []

    def there() -> set[int | None]:
        return {number for (number,) in house.target_query(f"SELECT N FROM warehouse.{INTS}")}

    use_alone(None)
    assert house.run().success
    use_alone(TWO)
    assert house.run().success
    assert there() == {None, 5, 15, 35, 45}, "the partition of the NULL rows stays"
    everything = house.source_rows(INTS)
    change(house, "SPLIT RANGE (10)")
    result = house.run()
    assert result.success, result["errors"]
    assert result["total_records"] == 3
    assert there() == {None, 5, 35, 45}
    assert sorted(house.lake_rows(INTS), key=str) == sorted(everything, key=str)
    assert_settled(house)
    change(house, "MERGE RANGE (10)")
    assert house.run().success
    assert there() == {None, 5, 15, 35, 45}
    assert sorted(house.lake_rows(INTS), key=str) == sorted(everything, key=str)
    assert_settled(house)
    house.execute("DROP TABLE {s}.Readings")
    house.execute("DROP PARTITION SCHEME si_{s}")
    house.execute("DROP PARTITION FUNCTION pi_{s}")


def test_a_table_that_was_loaded_whole_is_in_the_lake_whole(shop: SqlServerShop) -> None:
    """The one unit of before reached into the window, and into all partitions before it."""
    shop.overrides["partition_tables"] = shop.overrides["scd_tables"] = []
    shop.overrides["static_tables"] = [StaticTableConfig(table_name=INTS, schema_name=shop.schema)]
    assert shop.run().success
    use(shop, ints=TWO)
    assert shop.run().success
    assert in_lake(shop) == OF_ALL
    assert numbers(shop) == [35, 36, 45, 46]
    assert_settled(shop)
