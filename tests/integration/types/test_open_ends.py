"""Open ends of every kind: an scd table loads them by default, and its history is checked, mended and validated.

One table for each way in which an open version ends, all in one run.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dltsync_core.config import PipelineConfig, SCDTableConfig
from tests.support.server_shop import Server
from tests.support.type_tables import TypeTables, errors
from tests.support.variants import variants

ENDS: dict[str, tuple[str, str | None, str, str | None]] = {
    "Usual": ("datetime2(7)", "9999-12-31T23:59:59.9999999", "TIMESTAMP", "9999-12-31 23:59:59.999999"),
    "Midnight": ("datetime2(7)", "9999-12-31T00:00:00", "TIMESTAMP", "9999-12-31 00:00:00"),
    "Nothing": ("datetime2(7)", None, "TIMESTAMP", None),
    "Six": ("datetime2(6)", "9999-12-31T23:59:59.999999", "TIMESTAMP", "9999-12-31 23:59:59.999999"),
    "Three": ("datetime2(3)", "9999-12-31T23:59:59.999", "TIMESTAMP", "9999-12-31 23:59:59.999"),
    "Zero": ("datetime2(0)", "9999-12-31T23:59:59", "TIMESTAMP", "9999-12-31 23:59:59"),
    "Old": ("datetime", "9999-12-31T23:59:59.997", "TIMESTAMP_MS", "9999-12-31 23:59:59.997"),
    "Day": ("date", "9999-12-31", "DATE", "9999-12-31"),
    "Offset": (
        "datetimeoffset(7)",
        "9999-12-31T23:59:59.9999999+00:00",
        "VARCHAR",
        "9999-12-31 23:59:59.9999999+00:00",
    ),
    "Offset3": ("datetimeoffset(3)", "9999-12-31T23:59:59.999+00:00", "VARCHAR", "9999-12-31 23:59:59.999+00:00"),
    "Instant": (
        "datetimeoffset(7)",
        "9999-12-31T23:59:59.9999999+00:00",
        "TIMESTAMP WITH TIME ZONE",
        "9999-12-31 23:59:59.999999+00",
    ),
    "Whole": ("datetime2(7)", "9999-12-31T23:59:59.9999999", "VARCHAR", "9999-12-31 23:59:59.9999999"),
}
"""Table: type of the end date, how an open version ends, the warehouse's type and its text of that end."""
REPRESENTATIONS = {"Instant": {"EndDate": "utc_open_end"}, "Whole": {"EndDate": "text"}}


class HistoryHouse(TypeTables):
    """Scd tables: key 1 has two versions, the earlier one left open, key 2 is as it should be."""

    def config(self) -> PipelineConfig:
        histories = [
            SCDTableConfig(
                table_name=name,
                schema_name=self.schema,
                business_key_columns=["id"],
                last_modified_column="Changed",
                column_representation=REPRESENTATIONS.get(name, {}),
            )
            for name in ENDS
        ]
        return super().config().model_copy(update={"scd_tables": histories, "static_tables": []})

    def add(self, name: str, key: int, start: str, end: str | None, latest: int) -> None:
        declared = ENDS[name][0]
        self.execute(
            f"INSERT INTO {{s}}.{name} VALUES ({key}, CAST(? AS datetime2(3)), CAST(? AS {declared}), {latest}, "
            "CAST(? AS datetime2(3)))",
            *(start, end, start),
        )


@pytest.fixture(scope="module")
def house(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HistoryHouse]:
    made = HistoryHouse(server, tmp_path_factory.mktemp("open_ends"))
    for name, (declared, opened, *_) in ENDS.items():
        made.create(
            name,
            f"id int NOT NULL, EffectiveDate datetime2(3) NOT NULL, EndDate {declared} NULL, IsLatest bit NOT NULL, "
            "Changed datetime2(3) NOT NULL, PRIMARY KEY (id, EffectiveDate)",
        )
        made.add(name, 1, "2024-01-01T00:00:00", opened, 0)
        made.add(name, 1, "2024-02-01T00:00:00", opened, 1)
        made.add(name, 2, "2024-01-01T00:00:00", opened, 1)
    assert errors(made.run()) == []
    yield made
    made.drop()


def ends(house: HistoryHouse, name: str) -> list[Any]:
    rows = house.warehouse(name, 'CAST("EndDate" AS VARCHAR)', '"id", "EffectiveDate"')
    return [end for (end,) in rows]


def test_every_end_is_loaded_by_default_and_validated_to_the_last_digit(house: HistoryHouse) -> None:
    for name, (_, _, kind, shown) in ENDS.items():
        assert house.warehouse_types(name)["EndDate"] == kind, name
        assert ends(house, name) == [shown] * 3, name
    assert {unit.status for unit in house.run().units} == {"skipped"}
    with house.pipeline() as pipeline:
        report = pipeline.validate_all_tables(fingerprint="sha256")
    assert report["valid"], report


def test_the_plan_says_how_an_open_end_is_stored(house: HistoryHouse) -> None:
    with house.pipeline() as pipeline:
        contracts = {plan.table.table: plan.contracts["EndDate"] for plan in pipeline.plan()}
    assert contracts["Usual"]["lossless"] is True
    for name in ("Usual", "Instant"):
        assert (
            "open end: the type's maximum 9999-12-31 23:59:59.9999999 is stored as 9999-12-31 23:59:59.999999"
            in contracts[name]["note"]
        )
    assert b"open end" in house.footers("Usual")[0][b"dltsync.contracts"]


@pytest.mark.parametrize("name", variants(ENDS.keys(), often=set(ENDS) - {"Six", "Three", "Zero", "Offset3"}))
def test_an_open_end_is_known_and_mended(house: HistoryHouse, name: str) -> None:
    """Mended is the version that another one follows; the table's own open end stays on the others."""
    with house.pipeline() as pipeline:
        table = f"{house.schema}.{name}"
        mended = pipeline.scd_handler.repair_scd_integrity(table, dry_run=False, including_source_faults=True)
        assert (mended["counts"], mended["applied"]) == ({"superseded_but_open": 1}, 1)
        left = pipeline.scd_handler.repair_scd_integrity(table)
    closed, *rest = ends(house, name)
    assert closed.startswith("2024-02-01")
    assert rest == [ENDS[name][3]] * 2
    assert left["valid"] is True


def test_rows_that_differ_are_named_and_an_open_end_is_none_of_them(house: HistoryHouse) -> None:
    """After the repair the warehouse differs from the source in one value of each table."""
    with house.pipeline() as pipeline:
        pipeline.scd_handler.repair_scd_integrity(f"{house.schema}.Usual", dry_run=False, including_source_faults=True)
        report = pipeline.validate_all_tables([f"{house.schema}.Usual"], fingerprint="sha256", row_diff=True)
    assert not report["valid"]
    assert "9999-12-31 23:59:59.9999999" in str(report)
    assert str(report).count("value differs in the warehouse") >= 1
