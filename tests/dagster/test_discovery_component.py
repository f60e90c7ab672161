"""The component whose tables are found by pattern: a stored list of the catalogue, refreshed on demand only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dltsync_core.catalog.facts import ListedTable
from dltsync_core.config import PipelineConfig
from dltsync_core.errors import ConfigError
from dltsync_core.identity import TableName
from dltsync_dagster import DltsyncDiscoveryComponent, build_definitions
from tests.dagster.component_documents import CONFIG, TRANSLATION, component, keys, loaded, refusal

# Of Dagster's own reading of YAML, and of the code references that it adds to each asset.
pytestmark = [
    pytest.mark.usefixtures("no_database"),
    pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20"),
    pytest.mark.filterwarnings("ignore::dagster.BetaWarning"),
]

FOUND = [
    ListedTable(TableName("sales", "Orders"), is_partitioned=True),
    ListedTable(TableName("sales", "Lines"), is_partitioned=True),
    ListedTable(TableName("sales", "Lines_old"), is_partitioned=False),
    ListedTable(TableName("Sales", "Kinds"), is_partitioned=False),
    ListedTable(TableName("hr", "People"), is_partitioned=False),
]
BASE = {name: value for name, value in CONFIG.items() if not name.endswith("_tables")}
PATTERNS = [{"pattern": "sales.*", "exclude": ["*.*_old"], "options": {"schema_drift": "freeze"}}]


def stored(path: Path, made: DltsyncDiscoveryComponent, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state that a refresh writes."""
    monkeypatch.setattr(DltsyncDiscoveryComponent, "list_tables", lambda self: FOUND)
    state = path / "state"
    made.write_state_to_path(state)
    return state


def test_without_a_stored_list_nothing_is_opened_and_there_is_no_table() -> None:
    made, defs = loaded(component("DltsyncDiscoveryComponent", config=BASE, tables=PATTERNS))
    assert keys(defs) == set()
    assert made.defs_state_config.refresh_if_dev is False
    assert made.defs_state_config.key == "DltsyncDiscoveryComponent[dltsync]"


def test_under_dg_the_list_is_not_refreshed_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """`dg dev`, `dg check` and `dg list` set this variable, by which other state-backed components refresh."""
    monkeypatch.setenv("DAGSTER_IS_DEV_CLI", "1")
    _, defs = loaded(component("DltsyncDiscoveryComponent", config=BASE, tables=PATTERNS))
    assert keys(defs) == set()


def test_tables_are_found_by_pattern_and_get_their_kind_from_the_catalogue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _ = loaded(component("DltsyncDiscoveryComponent", config=BASE, tables=PATTERNS, translation=TRANSLATION))
    state = stored(tmp_path, made, monkeypatch)
    assert [table[:2] for table in json.loads(state.read_text())["tables"]] == [
        ["Sales", "Kinds"],
        ["sales", "Lines"],
        ["sales", "Orders"],
    ]
    defs = made.build_defs_from_state(None, state)
    graph = defs.resolve_asset_graph()
    kinds = {
        key.path[1]: graph.get(key).metadata["dltsync/kind"]
        for key in graph.get_all_asset_keys()
        if key.path[0] == "shop"
    }
    assert kinds == {"Orders": "partition", "Lines": "partition", "Kinds": "static"}


@pytest.mark.parametrize("patterns", [{"pattern": "a.b.c.d.e"}, {"pattern": "sales.*", "exclude": [""]}])
def test_a_pattern_that_is_none_is_refused_with_its_field(patterns: dict[str, Any]) -> None:
    said = refusal(component("DltsyncDiscoveryComponent", config=BASE, tables=[patterns]))
    assert "is not a pattern of names" in said
    assert list(patterns)[-1] in said


def test_patterns_mean_what_they_mean_in_the_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Brackets quote a name, and a pattern without a schema is for all of them."""
    patterns = [{"pattern": "[sales].[Lines*]", "exclude": ["*_old"]}, {"pattern": "Peop?e"}]
    made, _ = loaded(component("DltsyncDiscoveryComponent", config=BASE, tables=patterns))
    state = json.loads(stored(tmp_path, made, monkeypatch).read_text())
    assert [table[:2] for table in state["tables"]] == [["hr", "People"], ["sales", "Lines"]]


def test_a_table_that_the_config_lists_stays_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = {**BASE, "static_tables": [{"schema_name": "Sales", "table_name": "orders", "load_strategy": "replace"}]}
    made, _ = loaded(component("DltsyncDiscoveryComponent", config=config, tables=PATTERNS))
    values = made.with_tables(FOUND)
    assert [t["table_name"] for t in values["static_tables"]] == ["orders", "Kinds"]
    assert [(t["table_name"], t["schema_drift"]) for t in values["partition_tables"]] == [("Lines", "freeze")]


def test_options_that_do_not_fit_are_told_by_field(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    patterns = [{"pattern": "hr.*", "kind": "scd"}]
    made, _ = loaded(component("DltsyncDiscoveryComponent", config=BASE, tables=patterns))
    state = stored(tmp_path, made, monkeypatch)
    with pytest.raises(ConfigError, match=r"scd_tables\[0\]\.last_modified_column"):
        made.build_defs_from_state(None, state)
    state.write_text("{}")
    with pytest.raises(ConfigError, match="dg utils refresh-defs-state"):
        made.build_defs_from_state(None, state)


def test_patterns_of_the_config_itself_are_in_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They go before those of the component; without a stored list only tables that are named are there."""
    config = {
        **BASE,
        "partition_tables": [{"match": "sales.*", "schema_drift": "ask"}],
        "static_tables": [{"match": "sales.*", "exclude": ["*_old"]}, {"schema_name": "hr", "table_name": "People"}],
    }
    made, defs = loaded(component("DltsyncDiscoveryComponent", config=config, translation=TRANSLATION))
    assert {key.rpartition("/")[2] for key in keys(defs)} == {"People"}
    state = stored(tmp_path, made, monkeypatch)
    graph = made.build_defs_from_state(None, state).resolve_asset_graph()
    kinds = {
        key.path[1]: graph.get(key).metadata["dltsync/kind"]
        for key in graph.get_all_asset_keys()
        if key.path[0] == "shop"
    }
    assert kinds == {"Orders": "partition", "Lines": "partition", "Kinds": "static", "People": "static"}


def test_definitions_without_a_server_say_what_to_do_about_patterns() -> None:
    database = {"server": "db", "database": "Shop", "username": "reader", "password": "secret"}
    config = PipelineConfig(database=database, static_tables=[{"match": "sales.*"}])
    with pytest.raises(ConfigError, match="match 'sales") as caught:
        build_definitions(config)
    assert "DltsyncDiscoveryComponent" in caught.value.remedy


def test_two_documents_have_two_lists() -> None:
    first, _ = loaded(component("DltsyncDiscoveryComponent", config=BASE, tables=PATTERNS))
    second, _ = loaded(
        component("DltsyncDiscoveryComponent", config={**BASE, "pipeline_name": "second"}, tables=PATTERNS)
    )
    assert first.defs_state_config.key != second.defs_state_config.key


def test_op_names_the_steps_of_tables_found_in_the_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    op = {"name": "load", "pool": "shop"}
    made, _ = loaded(component("DltsyncDiscoveryComponent", config=BASE, tables=PATTERNS, op=op))
    defs = made.build_defs_from_state(None, stored(tmp_path, made, monkeypatch))
    nodes = {node.name: node.definition for node in defs.resolve_implicit_global_asset_job_def().nodes}
    loads = [name for name in nodes if name.startswith("load__") and "__observe_" not in name]
    assert len(loads) == 3
    assert {pool for name in loads for pool in nodes[name].pools} == {"shop"}
