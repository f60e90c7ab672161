"""Lineage of a table: columns to source columns, the files of a load, links from the asset."""

from __future__ import annotations

import dagster as dg
import pytest

from dltsync_core.config import StaticTableConfig
from dltsync_core.identity import TableName
from dltsync_core.run.result import UnitResult
from dltsync_core.typemap import map_columns
from dltsync_dagster import LocationSettings, build_definitions
from dltsync_dagster.metadata import table_metadata, unit_metadata
from tests.dagster.conftest import COUNTRIES, CUSTOMERS, ORDERS, shop_config
from tests.support.table_facts import column, table

SOURCE = dg.AssetKey(["sqlserver", "Shop", "sales", "Orders"])
MAPPING = map_columns(
    table(column("since", "datetimeoffset"), column("i|d", "int", 2, is_nullable=False)),
    StaticTableConfig(table_name="Orders", column_representation={"since": "utc"}),
)


def loaded(*files: str) -> UnitResult:
    return UnitResult(
        TableName("sales", "Orders"), "static", "all", "committed", "new", files=files, contracts=MAPPING.contracts()
    )


def test_each_column_leads_to_its_source_column_as_value_and_as_a_table_to_read() -> None:
    shown = table_metadata(None, SOURCE, [loaded("/srv/lake/t/data/1.parquet")])
    lineage = shown["dagster/column_lineage"]
    assert dict(lineage.deps_by_column.items()) == {
        name: [dg.TableColumnDep(asset_key=SOURCE, column_name=name)] for name in ("since", "i|d")
    }
    assert shown["dltsync/columns"].md_str.splitlines() == [
        "| column | source column | type at the source | type here | values |",
        "| --- | --- | --- | --- | --- |",
        "| `since` | `sqlserver/Shop/sales/Orders.since` | `datetimeoffset(7)` | `timestamp[us, tz=UTC]` | loses `the offset` |",
        "| `i\\|d` | `sqlserver/Shop/sales/Orders.i\\|d` | `int` | `int32` | exact |",
    ]
    assert shown["dltsync/source_asset"].asset_key == SOURCE


@pytest.mark.parametrize("lake", ["/srv/lake/t/data", "s3://lake/t/data"])
def test_a_load_names_its_files_and_the_table_their_folder(lake: str) -> None:
    files = [f"{lake}/{number}.parquet" for number in range(25)]
    assert table_metadata(None, SOURCE, [loaded(*files)])["dltsync/lake_folder"].path == lake
    listed = unit_metadata(loaded(*files), None)["dltsync/lake_files"].md_str
    assert f"`{lake}/0.parquet`" in listed
    assert listed.endswith("and 5 more")
    assert "dltsync/lake_files" not in unit_metadata(loaded(), None)


@pytest.mark.parametrize(
    ("docs_url", "orders", "customers"),
    [
        ("https://docs.example.com/dltsync/", "https://docs.example.com/dltsync/changes.md", "validation.md"),
        ("https://docs.example.com/{page}.html", "https://docs.example.com/changes.html", "validation.html"),
    ],
)
def test_assets_link_to_their_source_and_to_the_page_about_their_kind(
    docs_url: str, orders: str, customers: str
) -> None:
    defs = build_definitions(shop_config(), settings=LocationSettings(docs_url=docs_url))
    shown = {
        spec.key.path[-1]: spec.metadata for spec in defs.resolve_all_asset_specs() if spec.key.path[0] != "sqlserver"
    }
    assert shown["Orders"]["dltsync/docs"].value == orders
    assert str(shown["Customers"]["dltsync/docs"].value).endswith(customers)
    assert shown["Countries"]["dltsync/source_asset"].asset_key.path[-1] == "Countries"
    assert {key.path[-1] for key in (ORDERS, CUSTOMERS, COUNTRIES)} <= set(shown)


def test_without_an_address_there_is_no_link_to_the_pages() -> None:
    defs = build_definitions(shop_config(), settings=LocationSettings())
    assert all("dltsync/docs" not in spec.metadata for spec in defs.resolve_all_asset_specs())
