"""What every warehouse keeps, over each kind of database; and what a database keeps besides: its rows, names and types."""

from __future__ import annotations

import threading
from dataclasses import replace
from decimal import Decimal

import pyarrow as pa
import pytest

from dltsync_core.duckdb.partition_scope import scope_for
from dltsync_core.errors import DriftError
from dltsync_core.plan.steps import MergeKeys, ReplaceScope, UpsertKeys
from dltsync_core.ranges import parse_key
from dltsync_core.testing import int_column
from dltsync_core.warehouse.port import TableInspection
from tests.support.any_warehouse import KINDS, SQL_SERVER_KINDS, AnyWarehouse, marker
from tests.support.contracts.warehouse import *  # noqa: F403
from tests.support.contracts.warehouse import HIGH, LOW
from tests.support.local_warehouse import TARGET, orders, slot
from tests.support.variants import variants

EVERYWHERE = (*KINDS, *SQL_SERVER_KINDS)
OFTEN = {"duckdb", "postgres", "delta", "sqlserver"}


def slow_on(*kinds: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("anywhere", variants(EVERYWHERE, OFTEN - set(kinds)), indirect=True)


@pytest.fixture(params=variants(EVERYWHERE, OFTEN))
def anywhere(anywhere: AnyWarehouse) -> AnyWarehouse:
    """On SQL Server, too."""
    return anywhere


def numbers(house: AnyWarehouse) -> list[object]:
    return [row[0] for row in house.rows(TARGET)]


@slow_on("sqlserver")  # services/warehouse/sqlserver shows it
def test_rows_without_a_partition_value_lie_in_the_first_partition(anywhere: AnyWarehouse) -> None:
    def scope(key: str) -> ReplaceScope:
        return scope_for(replace(int_column("No"), is_nullable=True), pa.int32(), [parse_key(key)])

    schema = orders({}).schema.set(0, pa.field("No", pa.int32()))
    anywhere.load(TARGET, pa.table({"No": [None, 1, 12], "Note": ["n", "a", "b"]}, schema=schema))
    anywhere.load(TARGET, pa.table({"No": [2], "Note": ["c"]}, schema=schema), how=scope(LOW))
    assert set(numbers(anywhere)) == {2, 12}
    assert anywhere.warehouse.count(TARGET) == 2


@slow_on("postgres", "sqlserver")  # they delete the rows of a range, as for any partition
def test_a_partition_that_was_split_is_never_there_twice(anywhere: AnyWarehouse) -> None:
    """Each half takes the rows of its own range; what the other half is to take stays until then."""
    anywhere.load(TARGET, orders({1: "a", 5: "a", 9: "a"}), how=slot("[0,10)"))
    anywhere.load(TARGET, orders({1: "b"}), how=slot("[0,5)"))
    assert anywhere.rows(TARGET) == [(1, "b"), (5, "a"), (9, "a")]
    anywhere.load(TARGET, orders({5: "b", 9: "b"}), how=slot("[5,10)"))
    assert anywhere.rows(TARGET) == [(1, "b"), (5, "b"), (9, "b")]


def test_an_inspection_sees_several_tables_at_once(anywhere: AnyWarehouse) -> None:
    other = ("sales", "Customers")
    first = anywhere.request(TARGET, orders({1: "a", 10: "b", 11: "c"}), marker=marker())
    anywhere.warehouse.load_group([first, anywhere.request(other, orders({7: None}))])
    fits, clash = orders({}).schema, pa.schema([("No", pa.int32()), ("Note", pa.int64())])
    found = anywhere.warehouse.inspect(
        {
            TARGET: TableInspection("p", {LOW: slot(LOW), HIGH: slot(HIGH)}, fits),
            other: TableInspection("p", {"all": None}, clash),
            ("sales", "Nothing"): TableInspection("p", {"all": None}, fits),
        }
    )
    assert [dict(one.counts) for one in found.values()] == [{LOW: 1, HIGH: 2}, {"all": 1}, {"all": 0}]
    assert [list(one.columns) for one in found.values()] == [["No", "Note"], ["No", "Note"], []]
    assert [list(one.markers) for one in found.values()] == [["all"], [], []]
    refusals = [one.refusal for one in found.values()]
    assert refusals[0] is refusals[2] is None
    assert "Note is" in str(refusals[1])


@slow_on("sqlserver")  # services/warehouse/sqlserver shows it
def test_columns_are_added_and_kept_and_a_type_that_does_not_fit_is_refused(anywhere: AnyWarehouse) -> None:
    """A column that is gone from the source stays without values. What is refused changes nothing."""
    anywhere.load(TARGET, orders({1: "a"}))
    added = pa.table({"No": pa.array([2], pa.int32()), "Price": pa.array([Decimal("1.50")], pa.decimal128(9, 2))})
    anywhere.load(TARGET, added, how=MergeKeys(("No",)))
    assert anywhere.rows(TARGET) == [(1, "a", None), (2, None, Decimal("1.50"))]
    changed = pa.table({"No": pa.array([2], pa.int32()), "Note": pa.array([5], pa.int64())})
    with pytest.raises(DriftError, match="Note is"):
        anywhere.load(TARGET, changed)
    assert anywhere.rows(TARGET) == [(1, "a", None), (2, None, Decimal("1.50"))]
    assert anywhere.leftovers() == []


AWKWARD = (
    "select",
    'a "quoted" name',
    "per%cent %s",
    "dot.ted; --",
    "ümläut",
    "_dlt_id",
    "Ends_",
    "trailing ",
    "{b}[c]",
    "q?:x",
)


@slow_on("sqlserver")  # services/warehouse/sqlserver shows it
def test_names_stay_what_they_are(anywhere: AnyWarehouse) -> None:
    target = ('Order "By"', "Group % By;")
    columns = {name: pa.array([number], pa.int64()) for number, name in enumerate(AWKWARD, start=1)}
    ways = (None, MergeKeys(AWKWARD[:3]), UpsertKeys((AWKWARD[1],)))
    anywhere.warehouse.load_group([anywhere.request(target, pa.table(columns), how=how) for how in ways])
    assert list(anywhere.warehouse.columns(target)) == list(AWKWARD)
    assert (
        anywhere.read(target, pa.table(columns).schema) == anywhere.rows(target) == [tuple(range(1, len(AWKWARD) + 1))]
    )
    partition = scope_for(int_column(AWKWARD[2]), pa.int64(), [parse_key("[0,10)")])
    anywhere.load(target, pa.table(columns), how=partition)
    assert anywhere.warehouse.count(target, partition) == 1


def test_several_threads_load_one_table_and_others_at_the_same_time(anywhere: AnyWarehouse) -> None:
    """One load of a table at a time, and no row lost or doubled."""
    keys = ("(-inf,10)", "[10,20)", "[20,+inf)")
    failures: list[BaseException] = []

    def bring(number: int) -> None:
        try:
            first = number * 10
            anywhere.load(TARGET, orders({first: "a", first + 1: "b"}), how=slot(keys[number]))
            anywhere.load(("sales", f"Other{number % 2}"), orders({first: "a"}), how=MergeKeys(("No",)))
        except BaseException as error:  # noqa: BLE001 -- shown below
            failures.append(error)

    threads = [threading.Thread(target=bring, args=(number,)) for number in range(len(keys))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert numbers(anywhere) == [first + more for first in (0, 10, 20) for more in (0, 1)]
    assert [len(anywhere.rows(("sales", f"Other{number}"))) for number in range(2)] == [2, 1]
    assert anywhere.leftovers() == []
