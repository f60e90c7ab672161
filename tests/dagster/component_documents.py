"""Components from a `defs.yaml`, as `dg` loads them: documents, what they make, and what refuses them."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any

import dagster as dg
import yaml
from dagster.components.testing import create_defs_folder_sandbox

SECRET = "Sesame-open-1"
CONFIG: dict[str, Any] = {
    "database": {"server": "db.example", "database": "Shop", "username": "reader", "password": "${SHOP_PASSWORD}"},
    "partition_tables": [
        {"schema_name": "sales", "table_name": "Orders"},
        {"schema_name": "sales", "table_name": "Shipments"},
    ],
    "scd_tables": [
        {"table_name": "Customers", "last_modified_column": "Changed"},
        {"table_name": "Suppliers", "last_modified_column": "Changed"},
    ],
    "static_tables": [{"table_name": "Countries"}, {"table_name": "Currencies"}],
}
TRANSLATION = {
    "key": "shop/{{ table.table_name }}",
    "group_name": "shop",
    "tags": {"domain": "{{ table.schema_name }}"},
}


def loaded(document: Mapping[str, Any], files: Mapping[str, str] | None = None) -> tuple[Any, dg.Definitions]:
    """The component of a `defs.yaml` and its definitions, in a project of their own."""
    with create_defs_folder_sandbox() as sandbox:
        path = sandbox.defs_folder_path / "shop"
        path.mkdir(parents=True)
        (path / "defs.yaml").write_text(yaml.safe_dump(dict(document)))
        for name, text in (files or {}).items():
            (path / name).write_text(text)
        with sandbox.load_component_and_build_defs(defs_path=path) as (component, defs):
            dg.Definitions.validate_loadable(defs)
            return component, defs


def refusal(document: Mapping[str, Any]) -> str:
    """What loading the document fails with: the whole chain, as `dg check defs` prints it."""
    try:
        loaded(document)
    except Exception as error:  # noqa: BLE001 - Dagster's own, whatever it is
        return "".join(traceback.format_exception(error))
    raise AssertionError("the document is accepted")


def component(kind: str = "DltsyncComponent", **attributes: Any) -> dict[str, Any]:
    return {"type": f"dltsync_dagster.{kind}", "attributes": attributes}


def keys(defs: dg.Definitions) -> set[str]:
    graph = defs.resolve_asset_graph()
    return {key.to_user_string() for key in graph.get_all_asset_keys() if key.path[0] != "sqlserver"}
