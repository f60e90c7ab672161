"""What the assets of tables are made of: dltsync's own conventions, and a translator of dagster-dlt that a user brings."""

from __future__ import annotations

import subprocess
import sys
import warnings
from typing import Any

import dagster as dg
import pytest
from pydantic import Secret

from dltsync_core.config import DestinationConfig, PipelineConfig
from dltsync_dagster import TableTranslator, build_definitions
from dltsync_dagster.translator import TableTranslatorData
from tests.dagster.conftest import shop_config

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
            key=dg.AssetKey("not_used"),
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
    assert plain.keys() == ours.keys(), "the keys are dltsync's"
    for key, spec in ours.items():
        assert spec.tags["team"] == key.path[-1]
        assert spec.automation_condition == dg.AutomationCondition.eager()
        assert plain[key].automation_condition is None
        assert (spec.kinds, spec.deps, spec.group_name) == (
            plain[key].kinds,
            plain[key].deps,
            plain[key].group_name,
        )


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


def test_the_location_does_not_import_dagster_dlt() -> None:
    code = "import sys, dltsync_dagster.build; print({'dagster_dlt', 'dagster_embedded_elt'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


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
