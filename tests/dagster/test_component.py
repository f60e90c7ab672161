"""The components: a pipeline in a `defs.yaml`, written out or by the path of a config file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
import yaml

import dltsync_dagster
from dltsync_core.config import PipelineConfig
from dltsync_core.errors import ConfigError
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from dltsync_dagster import DltsyncComponent, DltsyncDiscoveryComponent
from dltsync_dagster.component import DltsyncScaffolder, ScaffoldParams
from dltsync_dagster.inline_config import EXAMPLE, written_config
from dltsync_dagster.port import Pipeline
from tests.dagster.component_documents import CONFIG, SECRET, TRANSLATION, component, keys, loaded, refusal
from tests.support.lake_shop import LakeShop

# Of Dagster's own reading of YAML, and of the code references that it adds to each asset.
pytestmark = [
    pytest.mark.usefixtures("no_database"),
    pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20"),
    pytest.mark.filterwarnings("ignore::dagster.BetaWarning"),
]

ROOT = Path(__file__).resolve().parents[2]


def test_a_config_written_out_and_one_in_a_file_give_the_same_assets() -> None:
    _, inline = loaded(component(config=CONFIG, translation=TRANSLATION))
    _, by_path = loaded(
        component(config="sync.yaml", translation=TRANSLATION), files={"sync.yaml": yaml.safe_dump(CONFIG)}
    )
    names = {"Orders", "Shipments", "Customers", "Suppliers", "Countries", "Currencies"}
    assert keys(inline) == keys(by_path) == {f"shop/{name}" for name in names}


def test_translation_and_post_processing_work_as_those_of_other_components() -> None:
    document = component(config=CONFIG, translation=TRANSLATION)
    document["post_processing"] = {
        "assets": [
            {
                "target": "key:shop/Orders",
                "attributes": {
                    "owners": ["team:sales"],
                    "automation_condition": "{{ dg.AutomationCondition.eager() }}",
                },
            }
        ]
    }
    _, defs = loaded(document)
    graph = defs.resolve_asset_graph()
    orders, countries = (graph.get(dg.AssetKey(["shop", name])) for name in ("Orders", "Countries"))
    assert (orders.group_name, orders.tags["domain"], orders.owners) == ("shop", "sales", ["team:sales"])
    assert orders.automation_condition is not None
    assert (countries.tags["domain"], countries.owners) == ("dbo", [])
    assert "row_counts" in {key.name for key in orders.check_keys}


def test_op_names_and_limits_the_steps_as_those_of_other_components() -> None:
    op = {
        "name": "load",
        "pool": "shop",
        "tags": {"team": "data"},
        "backfill_policy": {"type": "multi_run", "max_partitions_per_run": 3},
    }
    _, defs = loaded(component(config=CONFIG, op=op))
    nodes = {node.name: node.definition for node in defs.resolve_implicit_global_asset_job_def().nodes}
    (name,) = [name for name in nodes if name.startswith("load__") and name.endswith("Orders")]
    assert nodes[name].pools == {"shop"}
    assert nodes[name].tags["team"] == "data"
    orders = next(a for a in defs.resolve_asset_graph().assets_defs if a.op.name == name)
    assert orders.backfill_policy == dg.BackfillPolicy.multi_run(max_partitions_per_run=3)
    assert any("__observe_" in other for other in nodes)


def test_the_sensors_select_the_translated_keys() -> None:
    _, defs = loaded(component(config=CONFIG, translation=TRANSLATION))
    selected = {
        key.to_user_string()
        for sensor in defs.sensors or []
        if isinstance(sensor, dg.SensorDefinition) and sensor.asset_selection is not None
        for key in sensor.asset_selection.resolve(defs.resolve_asset_graph())
    }
    assert selected == keys(defs)


def test_settings_are_part_of_the_document() -> None:
    _, defs = loaded(component(config=CONFIG, settings={"owners": ["team:data"], "partitions_per_run": 3}))
    owned = [spec.owners for spec in defs.resolve_all_asset_specs() if spec.key.path[0] != "sqlserver"]
    assert [list(owners) for owners in owned] == [["team:data"]] * 6
    said = refusal(component(config=CONFIG, settings={"partition_per_run": 3}))
    assert "partition_per_run: unknown field; did you mean `partitions_per_run`" in said


# -- secrets ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", [SECRET, "{{ env.SHOP_PASSWORD }}"])
def test_a_secret_that_is_written_out_is_refused_and_not_repeated(written: str) -> None:
    config = {**CONFIG, "database": {**CONFIG["database"], "password": written}}
    said = refusal(component(config=config))
    assert "database.password is a secret" in said
    assert "password: ${VARIABLE}" in said
    assert SECRET not in said


@pytest.mark.parametrize(
    ("state", "field"),
    [
        ({"state_url": "postgresql://u:hunter22@host/ledger"}, "state_url"),
        ({"parquet_directory": "s3://b/p", "storage_options": {"secret": "hunter22"}}, "secret"),
        (
            {"parquet_directory": "s3://b/p", "storage_options": {"client_kwargs": {"aws_secret_access_key": "x"}}},
            "key",
        ),
    ],
)
def test_other_secrets_are_given_by_name_too(state: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigError, match=f"{field} is a secret"):
        written_config({**CONFIG, "state": state}, Path(), "config")


def test_a_component_holds_no_secret_as_text() -> None:
    made, _ = loaded(component(config=CONFIG))
    assert SECRET not in repr(made)
    assert made.config.config.database.password.get_secret_value() == SECRET


def test_a_missing_secret_fails_the_run_and_not_the_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP_PASSWORD")
    _, defs = loaded(component(config=CONFIG, translation=TRANSLATION))
    with dg.DagsterInstance.ephemeral() as instance:
        done = defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance, asset_selection=[dg.AssetKey(["shop", "Countries"])], raise_on_error=False
        )
        (failed,) = (e for e in done.get_step_failure_events() if e.step_key and "sync" in e.step_key)
        assert "environment variable SHOP_PASSWORD was not set" in str(failed.event_specific_data)


# -- what Dagster shows -------------------------------------------------------------------------------------------------


def fields_of(
    schema: Mapping[str, Any], parts: Mapping[str, Any], path: str = ""
) -> Iterable[tuple[str, Mapping[str, Any]]]:
    for name, field in schema.get("properties", {}).items():
        yield f"{path}{name}", field
        for one in (field, *field.get("anyOf", ())):
            inner = one.get("items", one)
            inner = parts.get(str(inner.get("$ref", "")).rpartition("/")[2], inner) if isinstance(inner, dict) else {}
            yield from fields_of(inner, parts, f"{path}{name}.")


@pytest.mark.parametrize("kind", [DltsyncComponent, DltsyncDiscoveryComponent])
def test_every_field_has_a_description_and_an_example(kind: type[dg.Component]) -> None:
    model = kind.get_model_cls()
    assert model is not None
    schema = model.model_json_schema()
    dagsters_own = ("translation.", "defs_state.", "op.backfill_policy.")
    found = {
        path: field for path, field in fields_of(schema, schema.get("$defs", {})) if not path.startswith(dagsters_own)
    }
    assert {"config.database.password", "config.partition_tables.change_detection", "settings.owners"} <= set(found)
    assert sorted(path for path, field in found.items() if not field.get("description")) == []
    assert sorted(path for path, field in found.items() if "examples" not in field) == []
    assert kind.get_spec().description


def test_the_example_that_the_ui_makes_of_the_fields_works_as_it_stands() -> None:
    model = DltsyncComponent.get_model_cls()
    assert model is not None
    shown = {name: field["examples"][0] for name, field in model.model_json_schema()["properties"].items()}
    assert set(shown) == {"config", "settings", "translation", "time_windows", "op"}
    _, defs = loaded(component(**shown), files={"dltsync.yaml": yaml.safe_dump(EXAMPLE)})
    assert keys(defs) == {"shop/orders", "shop/countries"}


def test_the_example_works_as_it_stands() -> None:
    _, defs = loaded(component(config=EXAMPLE))
    assert {key.split("/")[-1] for key in keys(defs)} == {"Orders", "Countries"}


def test_the_scaffolder_writes_a_path_or_a_config_to_complete() -> None:
    assert DltsyncScaffolder.config_of(ScaffoldParams(config="../sync.yaml")) == "../sync.yaml"
    written = DltsyncScaffolder.config_of(ScaffoldParams(server="db.example", database="Stock"))
    assert isinstance(written, dict)
    assert (written["database"]["server"], written["database"]["database"]) == ("db.example", "Stock")
    _, defs = loaded(component(config=written))
    assert keys(defs)


def test_dg_finds_both_components_by_the_entry_point() -> None:
    points = '[project.entry-points."dagster_dg_cli.registry_modules"]\ndltsync_dagster = "dltsync_dagster"\n'
    assert points in (ROOT / "pyproject.toml").read_text()
    listed = {name for name in dir(dltsync_dagster) if hasattr(getattr(dltsync_dagster, name), "__dg_package_entry__")}
    assert listed == {"DltsyncComponent", "DltsyncDiscoveryComponent"}


def test_time_windows_belong_to_partition_tables_that_the_config_lists() -> None:
    windows = {"start": "2024-01-01", "cron_schedule": "0 0 1 * *", "end": "2024-04-01"}
    _, defs = loaded(
        component(config=CONFIG, translation=TRANSLATION, time_windows=[{"table": "sales.Orders", **windows}])
    )
    graph = defs.resolve_asset_graph()
    monthly = graph.get(dg.AssetKey(["shop", "Orders"])).partitions_def
    assert isinstance(monthly, dg.TimeWindowPartitionsDefinition)
    assert monthly.get_partition_keys() == ["2024-01-01", "2024-02-01", "2024-03-01"]
    assert isinstance(graph.get(dg.AssetKey(["shop", "Shipments"])).partitions_def, dg.DynamicPartitionsDefinition)
    said = refusal(component(config=CONFIG, time_windows=[{"table": "Countries", **windows}]))
    assert "dbo.Countries is a table of kind static" in said


# -- running ------------------------------------------------------------------------------------------------------------

_shops: dict[str, LakeShop] = {}


@dataclass
class ShopComponent(DltsyncComponent):
    """A component of a user's own: it adds a tag, and works on a shop in memory."""

    def get_asset_spec(self, data: Any) -> dg.AssetSpec:
        return super().get_asset_spec(data).merge_attributes(tags={"mine": "yes"})

    def open_pipeline(self, config: PipelineConfig) -> AbstractContextManager[Pipeline]:
        return IncrementalSQLServerParquetPipeline(config, source=_shops["shop"].source)


def test_a_subclass_overrides_assets_and_pipeline_and_its_tables_are_read_downstream(tmp_path: Path) -> None:
    shop = _shops["shop"] = LakeShop(tmp_path)
    written = yaml.safe_load(shop.config().model_dump_json(exclude_unset=True))
    written["database"]["password"] = "${SHOP_PASSWORD}"
    document = {
        "type": f"{__name__}.ShopComponent",
        "attributes": {"config": written, "translation": {"key": "my/{{ table.table_name }}"}},
    }
    _, defs = loaded(document)

    @dg.asset(ins={"countries": dg.AssetIn(["my", "Countries"])})
    def report(countries: pa.Table) -> list[str]:
        codes: list[Any] = countries["Code"].to_pylist()
        return codes

    merged = dg.Definitions.merge(defs, dg.Definitions(assets=[report]))
    job = merged.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        done = job.execute_in_process(instance=instance, asset_selection=[dg.AssetKey(["my", "Countries"]), report.key])
        assert sorted(done.output_for_node("report")) == ["ch", "fr", "jp"]
    assert merged.resolve_asset_graph().get(dg.AssetKey(["my", "Orders"])).tags["mine"] == "yes"
