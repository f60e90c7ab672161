"""What a table is called in Dagster: no two tables share a key, a step, a list of partitions or a request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from dltsync_core.config import PartitionTableConfig, PipelineConfig, SCDTableConfig, StaticTableConfig
from dltsync_core.identity import TableName
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from dltsync_dagster import LocationSettings, TableTranslator, build_definitions
from dltsync_dagster.changed_units import Change, group_version
from dltsync_dagster.location import Location
from dltsync_dagster.translator import key_part
from tests.dagster.conftest import shop_config
from tests.support.dotted_tables import DottedTables
from tests.support.sandbox_server import SandboxServer
from tests.support.server_shop import Server

NAMES = st.text(alphabet="abAB_._-/% ]é", min_size=1, max_size=5) | st.text(min_size=1, max_size=6)
TABLES = st.builds(TableName, NAMES, NAMES)
VERBS = ("sync", "observe", "validate", "check")


def location_of(*tables: TableName) -> Location:
    """Each table has a target of its own, so that only the source tells them apart."""
    configured = [
        SCDTableConfig(table_name=t.table, schema_name=t.schema, target_table=f"t{n}", last_modified_column="x")
        for n, t in enumerate(tables)
    ]
    config = PipelineConfig(database=shop_config().database, scd_tables=configured)
    return Location(config, LocationSettings(), TableTranslator(), IncrementalSQLServerParquetPipeline)


@given(TABLES, TABLES)
@example(TableName("a.b", "c"), TableName("a", "b.c"))
@example(TableName("a_b", "c"), TableName("a", "b_c"))
@example(TableName("a", "b_c"), TableName("a.b", "c"))
@example(TableName("a/b", "c"), TableName("a", "b/c"))
@example(TableName("all", "tables"), TableName("all.", "tables"))
def test_two_tables_share_no_name(one: TableName, other: TableName) -> None:
    assume(one.folded != other.folded)
    location = location_of(one, other)
    first, second = location.config.tables
    assert location.source_key(first) != location.source_key(second)
    assert location.asset_key(first) != location.asset_key(second)
    steps = [location.op_name(verb, table) for verb in VERBS for table in location.config.tables]
    assert len(set(steps)) == len(steps)
    assert not {location.named("sync_all_tables"), location.named("validate_all_tables")} & set(steps)


@given(TABLES, TABLES)
def test_a_step_is_called_the_same_whatever_else_is_configured(one: TableName, other: TableName) -> None:
    assume(one.folded != other.folded)
    alone, both = location_of(one), location_of(other, one)
    assert alone.op_name("sync", alone.config.tables[0]) == both.op_name("sync", both.config.tables[1])


@given(NAMES, NAMES)
@example("x y", key_part("x y"))
def test_two_names_share_no_part_of_a_key(one: str, other: str) -> None:
    assume(one != other)
    assert key_part(one) != key_part(other)


def test_lists_of_partitions_are_told_apart_by_every_name() -> None:
    pairs = [TableName("a/b", "c"), TableName("a", "b/c"), TableName("a%2Fb", "c"), TableName("a", "b")]
    values = {**shop_config().model_dump(), "scd_tables": (), "static_tables": ()}
    values["partition_tables"] = [
        {"schema_name": p.schema, "table_name": p.table, "target_table": f"t{n}"} for n, p in enumerate(pairs)
    ]
    config = PipelineConfig(**values)
    location = Location(config, LocationSettings(), TableTranslator(), IncrementalSQLServerParquetPipeline)
    names = [
        str(definition.name) for t in config.tables if (definition := location.dynamic_partitions_of(t)) is not None
    ]
    assert len(set(names)) == 4
    assert names[-1] == "db.example/Shop/a/b"


def test_versions_of_another_pipeline_are_others() -> None:
    """The instance counts failed attempts by version, over all locations."""
    change = Change("all", "never loaded before", "v")
    location = location_of(TableName("a", "b"))
    other = location.config.model_copy(update={"pipeline_name": "other"})
    scopes = [location.scope, Location(other, location.settings, location.translator, location.open_pipeline).scope]
    assert len({group_version(changes, scope) for scope in scopes for changes in ([change], [change, change])}) == 4


def test_tables_whose_keys_make_one_identifier_make_a_location() -> None:
    """Dagster joins the parts of a key by two underscores, and puts one for a hyphen."""
    config = PipelineConfig(
        database=shop_config().database,
        scd_tables=[
            SCDTableConfig(table_name=t, schema_name=s, target_schema=s, last_modified_column="x")
            for s, t in [("a__b", "c"), ("a", "b__c"), ("s", "x-y"), ("s", "x_y"), ("all", "tables")]
        ],
        static_tables=[StaticTableConfig(table_name="tables too", schema_name="all")],
    )
    dg.Definitions.validate_loadable(build_definitions(config, settings=LocationSettings()))


def test_a_location_of_several_partition_tables_loads() -> None:
    """Each has partitions of its own, and Dagster refuses to make one job of such assets: no sensor may target one."""
    tables = [PartitionTableConfig(table_name=name) for name in ("A", "B")]
    config = PipelineConfig(database=shop_config().database, partition_tables=tables)
    definitions = build_definitions(config, settings=LocationSettings())
    dg.Definitions.validate_loadable(definitions)
    (sensor,) = definitions.sensors or ()
    assert isinstance(sensor, dg.SensorDefinition)
    assert sensor.asset_selection is not None
    keys = sensor.asset_selection.resolve(definitions.resolve_asset_graph())
    assert keys == {dg.AssetKey(["Shop", "warehouse", "A"]), dg.AssetKey(["Shop", "warehouse", "B"])}


@pytest.fixture
def tables(sandbox: SandboxServer, tmp_path: Path) -> Iterator[DottedTables]:
    made = DottedTables(Server.of(sandbox, "the sandbox"), tmp_path, ["partition"])
    try:
        made.create()
        yield made
    finally:
        made.drop()


def test_sensors_and_steps_load_each_of_two_tables_whose_names_make_one_text(tables: DottedTables) -> None:
    definitions = build_definitions(tables.config(), settings=LocationSettings(retry_delay_seconds=0))
    pipeline = tables.config().pipeline_name
    job = definitions.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:

        def look() -> list[dg.RunRequest]:
            context = dg.build_sensor_context(instance=instance, definitions=definitions)
            sensor = definitions.resolve_sensor_def(f"{pipeline}__partition_boundaries")
            with dg.partition_loading_context(dynamic_partitions_store=instance):
                return list(sensor.evaluate_tick(context).run_requests or [])

        asked = look()
        assert len({request.run_key for request in asked}) == len(asked) == 2
        for request in asked:
            subset = job.get_subset(
                asset_selection=set(request.asset_selection or []),
                asset_check_selection=set(request.asset_check_keys or []),
            )
            assert subset.execute_in_process(
                instance=instance,
                partition_key=request.partition_key,
                tags=dict(request.tags),
                run_config=dict(request.run_config),
            ).success
        tables.assert_everywhere()
        assert look() == []
        assert definitions.resolve_job_def(f"{pipeline}__sync_everything").execute_in_process(instance=instance).success
        tables.add(tables.tables("partition")[1], 40)
        (again,) = look()
        assert again.partition_key == "(20,+inf)"
        assert [key.path[-1] for key in again.asset_selection or []] == [key_part("b.c")]
