"""What the assets of tables are made of: dltsync's own conventions, and a translator of dagster-dlt that a user brings."""

from __future__ import annotations

import json
import warnings
from datetime import timedelta
from typing import Any

import dagster as dg
import pytest
from pydantic import Secret

from dltsync_core.config import DestinationConfig, PipelineConfig, StaticTableConfig
from dltsync_core.errors import ConfigError
from dltsync_dagster import LocationSettings, TableTranslator, build_definitions
from dltsync_dagster.translator import TableTranslatorData, code_version
from tests.dagster.conftest import shop_config
from tests.support.forks import Forks

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="The `dagster-embedded-elt` library", category=DeprecationWarning)
    try:
        from dagster_embedded_elt.dlt import DagsterDltTranslator, DltResourceTranslatorData
    except ImportError:
        from dagster_dlt import DagsterDltTranslator
        from dagster_dlt.translator import DltResourceTranslatorData


class Ours(DagsterDltTranslator):  # type: ignore[misc]
    """A user's translator, as dagster-dlt documents it."""

    def get_asset_spec(self, data: DltResourceTranslatorData) -> dg.AssetSpec:
        spec: dg.AssetSpec = super().get_asset_spec(data)
        return spec.replace_attributes(
            key=dg.AssetKey(["lake", data.resource.name]),
            group_name="ours",
            owners=["team:data"],
            tags={**spec.tags, "team": data.resource.name},
            automation_condition=dg.AutomationCondition.eager(),
        )


def specs(config: PipelineConfig, **options: Any) -> dict[dg.AssetKey, dg.AssetSpec]:
    definitions = build_definitions(config, **options)
    translator = TableTranslator.of(options.get("translator"))
    keys = {translator.get_table_key(TableTranslatorData(config, table)) for table in config.tables}
    found = {spec.key: spec for spec in definitions.resolve_all_asset_specs() if spec.key in keys}
    assert found.keys() == keys
    return found


def test_a_translator_of_dagster_dlt_adds_to_every_table() -> None:
    config = shop_config()
    plain, ours = specs(config), specs(config, translator=Ours())
    assert ours.keys() == {dg.AssetKey(["lake", key.path[-1]]) for key in plain}
    for key, own in plain.items():
        spec = ours[dg.AssetKey(["lake", key.path[-1]])]
        assert spec.tags["team"] == key.path[-1]
        assert spec.automation_condition == dg.AutomationCondition.eager()
        assert (own.automation_condition, own.group_name, list(own.owners)) == (None, "warehouse", [])
        assert (spec.kinds, spec.deps, spec.group_name, spec.owners) == (own.kinds, own.deps, "ours", ["team:data"])


def test_the_config_of_a_table_wins_over_a_translator_and_the_settings() -> None:
    config = shop_config()
    table = StaticTableConfig(
        table_name="Countries",
        automation_condition={"on_cron": "0 5 * * *", "timezone": "Europe/Zurich"},
        asset={
            "group": "reference_geo",
            "owners": ["ann@example.com"],
            "kinds": ["reference"],
            "freshness": {"fail_after": "26h", "warn_after": "25h"},
            "code_url": "https://git.example.com/shop/dltsync.yaml",
            "pool": "slow",
        },
    )
    config = config.model_copy(update={"static_tables": (table, *config.static_tables[1:])})
    definitions = build_definitions(config, settings=LocationSettings(owners=("team:all",)), translator=Ours())
    dg.Definitions.validate_loadable(definitions)
    found = {spec.key.path[-1]: spec for spec in definitions.resolve_all_asset_specs() if spec.key.path[0] == "lake"}
    countries, currencies = found["Countries"], found["Currencies"]
    assert (countries.group_name, list(countries.owners)) == ("reference_geo", ["ann@example.com"])
    assert (currencies.group_name, list(currencies.owners)) == ("ours", ["team:data"])
    assert countries.kinds == {*currencies.kinds, "reference"}
    assert countries.freshness_policy == dg.FreshnessPolicy.time_window(timedelta(hours=26), timedelta(hours=25))
    assert countries.automation_condition is not None
    assert countries.automation_condition.get_label() == "dltsync_on_cron"
    (reference,) = countries.metadata["dagster/code_references"].code_references
    assert reference.url == "https://git.example.com/shop/dltsync.yaml"
    pools = {node.name: node.definition.pools for node in definitions.resolve_implicit_global_asset_job_def().nodes}
    assert pools["shop__sync_dbo_Countries"] == {"slow"}
    assert pools["shop__sync_dbo_Currencies"] == {"mssql:db.example"}


def test_what_concerns_dagster_alone_is_no_new_version_of_the_code() -> None:
    """Else Dagster's UI said that every asset is out of date."""
    plain = StaticTableConfig(table_name="T")
    dressed = StaticTableConfig(table_name="T", check_every="1h", automation_condition="eager", asset={"group": "g"})
    assert code_version(plain) == code_version(dressed)
    assert code_version(plain) != code_version(StaticTableConfig(table_name="T", hash_algorithm="checksum"))


def test_a_schedule_that_dagster_refuses_is_an_error_of_the_config() -> None:
    config = shop_config()
    table = StaticTableConfig(table_name="Countries", automation_condition={"on_cron": "99 5 * * *"})
    with pytest.raises(ConfigError, match=r"dbo.Countries: automation_condition.on_cron '99 5 \* \* \*'"):
        build_definitions(config.model_copy(update={"static_tables": (table,)}), settings=LocationSettings())


@pytest.mark.parametrize("given", [None, TableTranslator(dlt=DagsterDltTranslator())], ids=["own", "of dagster-dlt"])
def test_without_one_the_assets_are_those_of_its_defaults(given: TableTranslator | None) -> None:
    """The conventions of dagster-dlt hold whether it is installed or not."""
    config = shop_config()
    for key, spec in specs(config, translator=given).items():
        own = specs(config)[key]
        assert (spec.kinds, spec.tags, spec.metadata, spec.description, spec.automation_condition) == (
            own.kinds,
            own.tags,
            own.metadata,
            own.description,
            own.automation_condition,
        )
        assert "dlt" in spec.kinds


@pytest.mark.xdist_group("dagster_forks")
def test_the_location_does_not_import_dagster_dlt(dagster_forks: Forks) -> None:
    ended = dagster_forks.run(
        "tests.dagster.one_run:loaded_modules", ["dltsync_dagster.build", "dagster_dlt", "dagster_embedded_elt"]
    )
    assert json.loads(ended.stdout) == ["dltsync_dagster.build"]


def test_tables_of_another_warehouse_are_named_after_it() -> None:
    """Not after a DuckDB file that does not exist."""
    config = shop_config()
    elsewhere = DestinationConfig(type="dlt", destination="postgres", credentials=Secret("postgresql://u:word@h/d"))
    config = config.model_copy(update={"destination": elsewhere})
    for spec in specs(config).values():
        assert "postgres" in spec.kinds
        assert "duckdb" not in spec.kinds
        assert spec.metadata["dagster/storage_kind"] == "postgres"
        assert str(spec.metadata["dagster/table_name"]).startswith("postgres.")
        assert "word" not in str(spec)
