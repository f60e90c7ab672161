"""The code of docs/dagster.md runs: the component loads, and the assets downstream read its tables."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster.components.testing import create_defs_folder_sandbox

from dltsync_core.config import PartitionTableConfig, PipelineConfig, StaticTableConfig, build_config
from dltsync_core.identity import TableName
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from dltsync_core.testing import FakeTable, int_column, text_column
from dltsync_dagster import (
    DltsyncDiscoveryComponent,
    DltsyncTables,
    LocationSettings,
    TableTranslator,
    build_definitions,
)
from dltsync_dagster.translator import TableTranslatorData
from tests.support.lake_shop import LakeShop

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "dagster.md").read_text(encoding="utf-8")

pytestmark = [
    pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20"),
    pytest.mark.filterwarnings("ignore::dagster.BetaWarning"),
]


def block(language: str, holds: str = "") -> str:
    """The one block in this language that holds a text."""
    blocks = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", PAGE, re.MULTILINE | re.DOTALL)
    (found,) = (textwrap.dedent(text) for _, text in blocks if holds in text)
    return str(found)


def written_config(path: Path, name: str) -> None:
    """A config of the shop in a file, as the page takes it for granted."""
    values = {
        "pipeline_name": name,
        "database": {
            "server": "sql.example.com",
            "database": name.title(),
            "username": "reader",
            "password": "${PASSWORD}",
        },
        "partition_tables": [{"schema_name": "sales", "table_name": "Orders"}],
        "static_tables": [{"table_name": "Countries"}],
    }
    path.write_text(yaml.safe_dump(values), encoding="utf-8")


def test_the_automation_conditions_of_the_page_are_those_of_the_assets(tmp_path: Path) -> None:
    written_config(tmp_path / "shop.yaml", "shop")
    values = yaml.safe_load((tmp_path / "shop.yaml").read_text()) | yaml.safe_load(
        block("yaml", "automation_condition")
    )
    defs = build_definitions(build_config(values, "the page", {"PASSWORD": "p"}))
    graph = defs.resolve_asset_graph()
    for table in ("Orders", "Countries"):
        assert graph.get(dg.AssetKey(["Shop", "warehouse", table])).automation_condition is not None


def test_a_location_of_ones_own_takes_two_pipelines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PASSWORD", "p")
    for name in ("shop", "archive"):
        written_config(tmp_path / f"{name}.yaml", name)
    scope: dict[str, Any] = {}
    exec(block("python"), scope)  # noqa: S102
    defs = scope["defs"]
    dg.Definitions.validate_loadable(defs)
    keys = {key.to_user_string() for key in defs.resolve_asset_graph().get_all_asset_keys()}
    assert {"Shop/warehouse/Orders", "Archive/warehouse/Orders", "report"} <= keys
    given = yaml.safe_load(block("yaml", "ops: "))
    assert dg.validate_run_config(defs.resolve_job_def("shop__validate_everything"), given)
    given["ops"]["shop__validate_all_tables"]["config"]["fingerprints"] = "sha256"
    with pytest.raises(dg.DagsterInvalidConfigError):
        dg.validate_run_config(defs.resolve_job_def("shop__validate_everything"), given)


def test_the_discovery_component_of_the_page_is_read(tmp_path: Path) -> None:
    written_config(tmp_path / "dltsync.yaml", "shop")
    attributes = yaml.safe_load(block("yaml", "DltsyncDiscoveryComponent"))
    assert attributes.pop("type") == "dltsync_dagster.DltsyncDiscoveryComponent"
    component = DltsyncDiscoveryComponent.resolve_from_yaml(yaml.safe_dump(attributes["attributes"]))
    assert [table.pattern for table in component.tables] == ["sales.*", "hr.Person*"]


def test_the_component_of_the_page_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP_PASSWORD", raising=False)
    with create_defs_folder_sandbox() as sandbox:
        path = sandbox.defs_folder_path / "shop"
        path.mkdir(parents=True)
        (path / "defs.yaml").write_text(block("yaml component"))
        with sandbox.load_component_and_build_defs(defs_path=path) as (_, defs):
            dg.Definitions.validate_loadable(defs)
            orders = defs.resolve_asset_graph().get(dg.AssetKey(["shop", "orders"]))
    assert isinstance(orders.partitions_def, dg.TimeWindowPartitionsDefinition)
    assert orders.automation_condition is not None


class OnThePage(TableTranslator):
    def get_table_key(self, data: TableTranslatorData) -> dg.AssetKey:
        return dg.AssetKey(["shop", data.table.table_name.lower()])


class ShopOfThePage(LakeShop):
    """Orders by month and countries, as the page has them."""

    def config(self) -> PipelineConfig:
        tables: dict[str, Any] = {
            "partition_tables": [PartitionTableConfig(schema_name="sales", table_name="Orders")],
            "static_tables": [StaticTableConfig(schema_name="dbo", table_name="Countries")],
            "scd_tables": (),
        }
        return super().config().model_copy(update=tables)


def test_the_assets_of_the_page_read_its_tables(tmp_path: Path) -> None:
    shop = ShopOfThePage(tmp_path)
    shop.source.tables[TableName("sales", "Orders")] = FakeTable(
        (int_column("Amount"), text_column("Note")),
        [{"Amount": amount, "Note": ""} for amount in (5, 20, 300)],
        primary_key=("Amount",),
        partition_column="Amount",
        boundaries=[10, 100],
    )
    shop.run()

    def opened(config: PipelineConfig) -> IncrementalSQLServerParquetPipeline:
        return IncrementalSQLServerParquetPipeline(config, source=shop.source)

    written = yaml.safe_load(shop.config().model_dump_json(exclude_unset=True))
    written["database"]["password"] = "none"
    (tmp_path / "dltsync.yaml").write_text(yaml.safe_dump(written))
    scope: dict[str, Any] = {}
    # A partition of the shop in memory stands for the month on the page.
    exec(block("python downstream").replace("[2024-01-01,2024-02-01)", "[10,100)"), scope)  # noqa: S102
    assets = [scope[name] for name in ("country_codes", "revenue", "first_orders")]
    ours = build_definitions(shop.config(), settings=LocationSettings(), translator=OnThePage(), open_pipeline=opened)
    tables = DltsyncTables(config=str(tmp_path / "dltsync.yaml"))
    merged = dg.Definitions.merge(
        ours, dg.Definitions(assets=assets, resources={**scope["resources"], "tables": tables})
    )
    with dg.DagsterInstance.ephemeral() as instance:
        done = merged.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance, asset_selection=[asset.key for asset in assets]
        )
        assert sorted(done.output_for_node("country_codes")) == ["ch", "fr", "jp"]
        assert done.output_for_node("revenue") == "325"
        assert done.output_for_node("first_orders") == 1
