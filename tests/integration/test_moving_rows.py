"""Rows that move between partitions while a run reads them, one snapshot each: told at its end, and right after the next run."""

from __future__ import annotations

import pytest

from dltsync_core.run.events import Event
from dltsync_core.run.result import RunResult
from tests.support.server_shop import ServerShop


def interrupted_by(shop: ServerShop, statement: str, *, stage: str = "extracted", count: int = 1) -> RunResult:
    """A run during which the statement is executed, once so many partitions have reached the stage."""
    seen: list[str] = []

    def listen(event: Event) -> None:
        if event.stage == stage and event.table.table == "Orders":
            seen.append(event.unit)
            if len(seen) == count:
                shop.execute(statement)

    return shop.run(table_names=["Orders"], parallel_execution=False, on_event=listen)


@pytest.mark.survives(
    "change",
    "rows are moved from one partition to another while a run reads them",
    "rows were added, removed or moved while the run read, with both numbers: run again",
    "source, lake and warehouse equal after the next run",
)
@pytest.mark.parametrize(
    ("statement", "held", "now"),
    [
        ("UPDATE {s}.Orders SET PlacedAt = '2026-03-09' WHERE OrderNo = 1", 25, 24),
        ("UPDATE {s}.Orders SET PlacedAt = '2026-01-09' WHERE OrderNo = 201", 23, 24),
    ],
    ids=["in both", "in neither"],
)
def test_a_row_that_moved_while_the_run_read_is_told(shop: ServerShop, statement: str, held: int, now: int) -> None:
    result = interrupted_by(shop, statement)
    assert result.success, result["errors"]
    (note,) = [note for note in result.notes if "moved while the run read" in note]
    assert f"3 partitions were committed with {held} rows in all, and hold {now} rows" in note
    assert note.endswith("run again")
    again = shop.run(table_names=["Orders"])
    assert again.success
    assert again.notes == ()
    shop.assert_same(["Orders"])


def test_an_ordinary_insert_is_told_as_what_it_may_be(shop: ServerShop) -> None:
    result = interrupted_by(shop, "INSERT INTO {s}.Orders VALUES (290, '2026-01-09', 1, NULL)")
    (note,) = result.notes
    assert "24 rows in all, and hold 25 rows" in note
    assert "rows were added, removed or moved" in note


def test_a_quiet_run_has_nothing_to_tell(synced: ServerShop) -> None:
    synced.execute("UPDATE {s}.Orders SET Note = N'x' WHERE OrderNo IN (1, 101)")
    assert synced.run().notes == ()


def test_one_partition_by_itself_is_not_counted_again(synced: ServerShop) -> None:
    with synced.pipeline() as pipeline:
        first, *_ = pipeline.partition_keys("Orders")
    synced.execute("UPDATE {s}.Orders SET PlacedAt = '2026-03-09' WHERE OrderNo = 1")
    assert synced.run(table_names=["Orders"], partition_keys=[first]).notes == ()


def test_boundaries_that_were_moved_meanwhile_are_told_as_that(shop: ServerShop) -> None:
    shop.execute("ALTER PARTITION SCHEME ps_{s} NEXT USED [PRIMARY]")
    result = interrupted_by(
        shop, "ALTER PARTITION FUNCTION pf_{s}() SPLIT RANGE ('2026-01-15T00:00:00')", stage="committed", count=3
    )
    assert all("boundaries" in note for note in result.notes)
