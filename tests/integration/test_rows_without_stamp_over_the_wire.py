"""Nothing is unchanged for want of evidence: rows without a stamp, rows stamped below the window, rows that are held back.

Every change goes over the wire to the source; what came of it is read in the warehouse by DuckDB alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dltsync_core.config import SCDTableConfig
from tests.support.server_shop import Server, ServerShop, Statements
from tests.support.shop_copies import LoadedShops, shops_loaded_once
from tests.support.stamped_shop import StampedShop, one_run_later, only
from tests.support.variants import variants


class PartlyStampedShop(StampedShop):
    """Customer 3 has no stamp."""

    def create(self) -> None:
        super().create()
        self.execute("INSERT INTO {s}.Customers VALUES (3, '2026-01-06', NULL, 1, N'Cat', NULL)")


@pytest.fixture(scope="module")
def loaded_stamped(request: pytest.FixtureRequest) -> Iterator[LoadedShops]:
    with shops_loaded_once(request, PartlyStampedShop) as shops:
        yield shops


@pytest.fixture
def stamped(loaded_stamped: LoadedShops, tmp_path: Path) -> Iterator[ServerShop]:
    """After a first run."""
    with loaded_stamped.copied(tmp_path) as shop:
        yield shop


# ---- rows without a stamp -------------------------------------------------------------------------------------------


@pytest.mark.survives(
    "change",
    "rows whose last-modified column is NULL are changed, or one of them is deleted and another added (partition and scd tables)",
    "rows whose change column is NULL differ",
    "the partition, or the versions, are read; source, lake and warehouse equal",
)
@pytest.mark.parametrize(
    "statements",
    [
        ["UPDATE {s}.Orders SET Note = N'other' WHERE OrderNo = 103"],
        [
            "DELETE FROM {s}.Orders WHERE OrderNo = 103",
            "INSERT INTO {s}.Orders VALUES (190, '2026-02-06', 1, NULL, NULL)",
        ],
    ],
    ids=["updated", "replaced"],
)
def test_rows_without_a_stamp_are_judged_by_their_content_in_a_partition(
    stamped: ServerShop, statements: list[str]
) -> None:
    unit = one_run_later(stamped, "Orders", *statements)
    assert "NULL" in unit.reason
    assert unit.rows_read == 8


def test_a_table_without_unstamped_rows_is_asked_one_question(stamped: ServerShop, statements: Statements) -> None:
    stamped.execute("UPDATE {s}.Orders SET Changed = '2026-03-06T10:00:00'")
    assert stamped.run(table_names=["Orders"]).success
    statements.looks.clear()
    assert {u.status for u in stamped.run(table_names=["Orders"]).units} == {"skipped"}
    (look,) = [text for text in statements.looks if "[Orders]" in text]
    assert "IS NULL" not in look.replace("[c1] IS NULL", "")


@pytest.mark.parametrize(
    "statements",
    [
        ["UPDATE {s}.Customers SET Name = N'Other' WHERE CustomerNo = 3"],
        [
            "DELETE FROM {s}.Customers WHERE CustomerNo = 3",
            "INSERT INTO {s}.Customers VALUES (4, '2026-01-07', NULL, 1, N'New', NULL)",
        ],
        ["UPDATE {s}.Customers SET Name = N'Other', Changed = NULL WHERE CustomerNo = 2"],
        ["UPDATE {s}.Customers SET Changed = '2026-01-01T00:00:00' WHERE CustomerNo = 3"],
    ],
    ids=["updated", "replaced", "stamp taken away", "stamped late"],
)
def test_versions_without_a_stamp_are_delivered(stamped: ServerShop, statements: list[str]) -> None:
    unit = one_run_later(stamped, "Customers", *statements)
    assert "NULL" in unit.reason


def test_a_history_that_was_never_stamped_is_followed(stamped: ServerShop) -> None:
    """There is no watermark, and no window to look at."""
    stamped.execute("UPDATE {s}.Customers SET Changed = NULL")
    assert stamped.run(table_names=["Customers"]).success
    one_run_later(stamped, "Customers", "UPDATE {s}.Customers SET Name = N'Other' WHERE CustomerNo = 2")
    one_run_later(
        stamped,
        "Customers",
        "DELETE FROM {s}.Customers WHERE CustomerNo = 2",
        "INSERT INTO {s}.Customers VALUES (4, '2026-01-07', NULL, 1, N'New', NULL)",
    )


# ---- rows below the window ------------------------------------------------------------------------------------------

LATE = "UPDATE {s}.Customers SET Name = N'Late', Changed = '2026-01-01T09:00:00' WHERE CustomerNo = 1 AND IsLatest = 0"
LATE_INSERT = "INSERT INTO {s}.Customers VALUES (4, '2026-01-03', NULL, 1, N'Late', '2026-01-03T00:00:00')"
DELETED = "DELETE FROM {s}.Customers WHERE CustomerNo = 2"
ORDINARY = "INSERT INTO {s}.Customers VALUES (5, '2026-01-09', NULL, 1, N'New', '2026-01-09T00:00:00')"


@pytest.mark.survives(
    "change",
    "versions updated, or added while others were deleted, with stamps far below the watermark less the lag; alone, or beside "
    "ordinary changes",
    "a stamp further below the watermark than the lag differs; all versions are read",
    "source, lake and warehouse equal",
)
@pytest.mark.parametrize(
    "statements",
    variants(
        {
            "late update": [LATE],
            "deleted and late": [DELETED, LATE_INSERT],
            "late insert": [LATE_INSERT],
            "late and ordinary": [LATE, ORDINARY],
            "all of it": [LATE_INSERT, DELETED, ORDINARY],
        },
        often={"late update", "deleted and late", "all of it"},
    ),
)
def test_changes_below_the_window_are_found(synced: ServerShop, statements: list[str]) -> None:
    unit = one_run_later(synced, "Customers", *statements)
    assert unit.counts is not None
    assert unit.rows_read >= unit.counts.source


def test_ordinary_changes_are_still_read_alone(synced: ServerShop) -> None:
    """Closing an old version moves its stamp away from below the window; that is no change below it."""
    closed = "UPDATE {s}.Customers SET IsLatest = 0, EndDate = '2026-01-09', Changed = '2026-01-09T00:00:00' WHERE CustomerNo = 2"
    unit = one_run_later(synced, "Customers", closed, ORDINARY)
    assert "versions after" in unit.reason
    assert unit.rows_read == 3  # these two, and the one that carries the old watermark


def test_an_update_within_one_tick_of_a_coarse_stamp_is_found(snapshot_server: Server, tmp_path: Path) -> None:
    """A date is set to the value it already has: only the content of the rows tells."""
    made = StampedShop(snapshot_server, tmp_path)
    made.stamp = "date NOT NULL"
    try:
        made.create()
        assert made.run(table_names=["Customers"]).success
        made.execute("UPDATE {s}.Customers SET Name = N'Later that day' WHERE CustomerNo = 1 AND IsLatest = 1")
        unit = only(made.run(table_names=["Customers"]), "Customers")
        assert "within the lag" in unit.reason
        assert "Later that day" in {row[4] for row in made.warehouse_rows("Customers")}
    finally:
        made.drop()


def test_a_row_that_takes_the_place_and_the_stamp_of_another_is_found(stamped: ServerShop) -> None:
    stamped.execute("ALTER TABLE {s}.Orders ADD CONSTRAINT uq_{s} UNIQUE (OrderNo, PlacedAt)")
    stamped.execute("UPDATE {s}.Orders SET Changed = '2026-03-06T10:00:00'")
    assert stamped.run(table_names=["Orders"]).success
    unit = one_run_later(
        stamped,
        "Orders",
        "DELETE FROM {s}.Orders WHERE OrderNo = 104",
        "INSERT INTO {s}.Orders VALUES (190, '2026-02-06', 1, NULL, '2026-03-06T10:00:00')",
    )
    assert unit.rows_read == 8


def test_stamps_alone_are_said_to_be_weak_where_no_key_is(stamped: ServerShop) -> None:
    with stamped.pipeline() as pipeline:
        (plan,) = pipeline.plan(table_names=["Orders"])
    assert ["takes the place of another" in note for note in plan.notes] == [True]


# ---- stamps that the warehouse cannot be held to --------------------------------------------------------------------


def test_stamps_that_the_warehouse_does_not_hold_exactly_are_read_whole(
    snapshot_server: Server, tmp_path: Path
) -> None:
    """Kept as UTC a datetimeoffset has no offset to compare."""
    made = StampedShop(snapshot_server, tmp_path)
    made.stamp = "datetimeoffset(7) NOT NULL"
    try:
        made.create()
        made.overrides["scd_tables"] = [
            SCDTableConfig(
                table_name="Customers",
                schema_name=made.schema,
                last_modified_column="Changed",
                column_representation={"Changed": "utc"},
            )
        ]
        assert made.run(table_names=["Customers"]).success
        made.execute(ORDINARY)
        unit = only(made.run(table_names=["Customers"]), "Customers")
        assert "Changed: the offset of a datetimeoffset with representation utc is not in the lake" in unit.reason
        assert unit.rows_read == 4
        assert {u.status for u in made.run(table_names=["Customers"]).units} == {"skipped"}
    finally:
        made.drop()
