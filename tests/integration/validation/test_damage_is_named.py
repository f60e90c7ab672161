"""Whatever is changed behind the pipeline's back is found by `dltsync validate`, which names the unit, the column, both numbers,
and ends with 9."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from dltsync_core.config import ProcessingConfig
from dltsync_core.errors import ConfigError
from tests.integration.validation.loaded import LoadedShop, flip_a_byte, truncate
from tests.support.cli_project import CliProject
from tests.support.forks import Forks

FEBRUARY, MARCH = "[2026-02-01,2026-03-01)", "[2026-03-01,+inf)"


@dataclass(frozen=True)
class Damage:
    """A statement to the warehouse, and every sentence that validation then says."""

    statement: str
    said: dict[str, list[str]]


DAMAGES = {
    "a value of one row": Damage(
        "UPDATE warehouse.Orders SET Amount = Amount + 0.01 WHERE OrderNo = 201",
        {"Orders": [f"{MARCH}: Amount: sum source 14280.00, lake 14280.00, warehouse 14280.01"]},
    ),
    "a moment, by a millisecond": Damage(
        "UPDATE warehouse.Customers SET EffectiveDate = EffectiveDate + INTERVAL 1 MILLISECOND "
        "WHERE CustomerNo = 1 AND IsLatest",
        {
            "Customers": [
                "all: EffectiveDate: max source {0}.000, lake {0}.000, warehouse {0}.001".format("2026-01-05 00:00:00")
            ]
        },
    ),
    "a bit": Damage(
        "UPDATE warehouse.Customers SET IsLatest = NOT IsLatest WHERE CustomerNo = 2",
        {"Customers": ["all: IsLatest: sum source 2, lake 2, warehouse 1"]},
    ),
    "a text made NULL": Damage(
        "UPDATE warehouse.Countries SET Name = NULL WHERE Code = 'FR'",
        {"Countries": ["all: Name: nulls source 0, lake 0, warehouse 1"]},
    ),
    "a row deleted": Damage(
        "DELETE FROM warehouse.Orders WHERE OrderNo = 202",
        {"Orders": [f"{MARCH}: 7 rows in source, 7 in lake, 6 in warehouse"]},
    ),
    "a row doubled": Damage(
        "INSERT INTO warehouse.Countries SELECT * FROM warehouse.Countries WHERE Code = 'JP'",
        {"Countries": ["all: 3 rows in source, 3 in lake, 4 in warehouse"]},
    ),
    "a partition missing": Damage(
        "DELETE FROM warehouse.Orders WHERE PlacedAt >= TIMESTAMP '2026-03-01'",
        {"Orders": [f"{MARCH}: 7 rows in source, 7 in lake, 0 in warehouse"]},
    ),
    "a column missing": Damage(
        "ALTER TABLE warehouse.Countries DROP COLUMN Area",
        {"Countries": ["all: Area: column source present, lake present, warehouse missing"]},
    ),
    "numbers made floating point": Damage(
        "ALTER TABLE warehouse.Orders ALTER Amount TYPE DOUBLE",
        {
            "Orders": [
                f"{unit}: Amount: column source present, lake present, warehouse of type DOUBLE"
                for unit in ("(-inf,2026-02-01)", FEBRUARY, MARCH)
            ]
        },
    ),
    "numbers made text": Damage(
        "ALTER TABLE warehouse.Countries ALTER Area TYPE VARCHAR",
        {"Countries": ["all: Area: column source present, lake present, warehouse of type VARCHAR"]},
    ),
    "moments and bits made something else": Damage(
        "ALTER TABLE warehouse.Customers ALTER EndDate TYPE VARCHAR; "
        "ALTER TABLE warehouse.Customers ALTER Changed TYPE TIME USING CAST(Changed AS TIME); "
        "ALTER TABLE warehouse.Customers ALTER IsLatest TYPE INTEGER",
        {
            "Customers": [
                f"all: {column}: column source present, lake present, warehouse of type {kind}"
                for column, kind in (("EndDate", "VARCHAR"), ("IsLatest", "INTEGER"), ("Changed", "TIME"))
            ]
        },
    ),
    "moments cut to days": Damage(
        "ALTER TABLE warehouse.Customers ALTER Changed TYPE DATE",
        {
            "Customers": [
                f"all: Changed: {figure} source {there}, lake {there}, warehouse {there[:10]} 00:00:00.0000000"
                for figure, there in (("min", "2026-01-01 08:00:00.1234567"), ("max", "2026-01-05 08:00:00.7654321"))
            ]
        },
    ),
    "text made bytes": Damage(
        "ALTER TABLE warehouse.Countries ALTER Name TYPE BLOB USING encode(Name)",
        {"Countries": ["all: Name: column source present, lake present, warehouse of type BLOB"]},
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.survives(
    "warehouse",
    "a row of the warehouse changed, deleted or doubled by hand; a partition or a column missing there",
    "`dltsync validate` names unit, column and the numbers of source, lake and warehouse; exit code 9",
    "nothing is changed: `dltsync run --force` loads the unit again",
)
def test_a_change_of_the_warehouse_is_found_and_named(synced: LoadedShop, name: str) -> None:
    synced.warehouse(DAMAGES[name].statement)
    assert synced.messages() == DAMAGES[name].said


@pytest.mark.parametrize("name", [name for name in DAMAGES if " made " in name and "NULL" not in name])
def test_a_column_of_a_strange_type_is_told_by_a_fingerprint_as_well(synced: LoadedShop, name: str) -> None:
    """It cannot be hashed as the server writes it: it ended in an internal error."""
    synced.warehouse(DAMAGES[name].statement)
    assert synced.messages(fingerprint="sha256") == DAMAGES[name].said
    assert synced.messages(row_diff=True) == DAMAGES[name].said


def test_what_nobody_touched_is_equal(synced: LoadedShop) -> None:
    assert synced.messages() == {}


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        pytest.param(flip_a_byte, "was changed after it was published", id="bytes flipped, size kept"),
        pytest.param(truncate, "bytes where the manifest says", id="truncated"),
        pytest.param(Path.unlink, "is missing", id="missing"),
    ],
)
@pytest.mark.survives(
    "lake",
    "a live lake file truncated or deleted, or a byte of it flipped with its size unchanged",
    "`dltsync validate` names the file; exit code 9",
    "nothing is changed: `dltsync recover --deep` moves the file to quarantine and the next run reads its unit again",
)
def test_a_damaged_lake_file_is_named(synced: LoadedShop, damage: Callable[[Path], None], said: str) -> None:
    file = synced.lake_file("Orders", "=2026-03-01")
    damage(file)
    found = synced.messages()
    assert set(found) == {"Orders"}
    (message,) = found["Orders"]  # nothing else: a file that is not whole says nothing of the rows
    assert file.name in message
    assert said in message


def test_the_command_ends_with_nine_and_says_it(synced: LoadedShop, forks: Forks, tmp_path: Path) -> None:
    project = CliProject(synced.shop, forks, tmp_path)
    project.values["state"] = {
        "state_directory": str(synced.shop.root / "state"),
        "parquet_directory": str(synced.shop.root / "lake"),
    }
    project.values["destination"] = {"path": str(synced.house)}
    synced.warehouse(DAMAGES["a value of one row"].statement)
    file = synced.lake_file("Countries")
    flip_a_byte(file)
    ended = project.call("validate")
    assert ended.status == 9
    assert DAMAGES["a value of one row"].said["Orders"][0] in ended.stdout
    assert file.name in ended.stdout
    ended, report = project.json("validate", "--tables", f"{synced.shop.schema}.Orders", "--partitions", MARCH)
    assert (ended.status, report["valid"]) == (9, False)
    ((unit,),) = (table["units"] for table in report["tables"])
    assert (unit["unit"], unit["source"], unit["equal"]) == (MARCH, 7, False)
    assert unit["columns"] == [
        {"column": "Amount", "figure": "sum", "source": "14280.00", "lake": "14280.00", "warehouse": "14280.01"}
    ]


def test_only_the_partitions_asked_for_are_compared(synced: LoadedShop) -> None:
    synced.warehouse(DAMAGES["a row deleted"].statement)
    report = synced.report(partition_keys=[FEBRUARY])
    assert (report["valid"], [[u["unit"] for u in t["units"]] for t in report["tables"]]) == (True, [[FEBRUARY]])
    with pytest.raises(ConfigError, match="has a partition"):
        synced.report(partition_keys=["[2020-01-01,2020-02-01)"])


def test_without_decimals_their_sums_are_left_out_and_whole_numbers_stay(synced: LoadedShop) -> None:
    synced.shop.overrides["processing"] = ProcessingConfig(validate_precision_end_to_end=False)
    synced.warehouse(DAMAGES["a value of one row"].statement)
    assert synced.messages() == {}
    synced.warehouse(DAMAGES["a bit"].statement)
    assert synced.messages() == DAMAGES["a bit"].said
