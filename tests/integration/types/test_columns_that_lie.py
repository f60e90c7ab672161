"""Columns whose values are not what they seem: told by the catalogue, then handled, left out or refused, with the reason."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from dltsync_core.cli.app import app
from dltsync_core.errors import CatalogError, UnsupportedColumn
from dltsync_core.extract.source import SqlServerSource
from dltsync_core.typemap import TableMapping
from tests.support import canned_answers as canned
from tests.support.type_tables import TypeTables

UNMASK = canned.answer(r".*HAS_PERMS_BY_NAME.*'UNMASK'.*", {"unmask": canned.INT}, [canned.integer(0)], is_pattern=True)
NODE = "A1B2C3D4E5F60718293A4B5C6D7E8F90"


def _mapping(house: TypeTables, **settings: Any) -> TableMapping:
    house.tables["t"] = settings
    config = house.config()
    source = SqlServerSource(config.database, config.processing)
    (table,) = config.tables
    return source.map_columns(source.read_tables([table])[table.name], table)


def _flags(house: TypeTables, declared: str, **columns: dict[str, Any]) -> None:
    house.create("t", f"id int NOT NULL PRIMARY KEY, {declared}")
    canned.put_up(house.connection, answers=[UNMASK], columns={f"{house.schema}.t": columns})


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"is_masked": True}, "masked for this login: the server would return masked values"),
        ({"encryption_type": 1}, "encrypted (Always Encrypted): the server would return ciphertext"),
    ],
)
def test_values_that_would_be_fake_are_refused(canned_house: TypeTables, flags: dict[str, Any], said: str) -> None:
    _flags(canned_house, "c nvarchar(20) NULL", c=flags)
    with pytest.raises(UnsupportedColumn) as caught:
        _mapping(canned_house)
    assert f"{canned_house.schema}.t: column c is {said}" in str(caught.value)
    assert "add c to exclude_columns" in str(caught.value)
    assert _mapping(canned_house, exclude_columns=["c"]).schema.names == ["id"]


def test_a_login_that_sees_through_the_mask_reads_the_column(canned_house: TypeTables) -> None:
    _flags(canned_house, "c nvarchar(20) NULL", c={"is_masked": True})
    canned.put_up(canned_house.connection, columns={f"{canned_house.schema}.t": {"c": {"is_masked": True}}})
    assert _mapping(canned_house).schema.names == ["id", "c"]


def test_rows_hidden_by_a_security_policy_are_refused_or_accepted_by_name(canned_house: TypeTables) -> None:
    house = canned_house
    house.create("t", "id int NOT NULL PRIMARY KEY")
    (number,) = house.connection.execute("SELECT OBJECT_ID(?)", f"{house.schema}.t").fetchone()
    policy = {"name": "p", "object_id": 77, "schema_id": 1, "is_enabled": True, "is_not_for_replication": False}
    predicate = {"object_id": 77, "security_predicate_id": 1, "target_object_id": number, "predicate_type": 0}
    canned.put_up(
        house.connection,
        rows={"sys.security_policies": [policy | {"is_schema_bound": True}], "sys.security_predicates": [predicate]},
    )
    with pytest.raises(CatalogError, match="row-level security filter"):
        _mapping(house)
    assert _mapping(house, accept_row_filter=True).schema.names == ["id"]


KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "worked_out": ("int NULL", {"is_computed": True}),
    "kept": ("int NULL", {"is_computed": True}),
    "rare": ("int NULL", {"is_sparse": True}),
    "all_rare": ("xml NULL", {"is_column_set": True}),
    "valid_from": ("datetime2(7) NOT NULL", {"generated_always_type": 1}),
    "valid_to": ("datetime2(7) NOT NULL", {"generated_always_type": 2}),
    "hidden_to": ("datetime2(7) NULL", {"generated_always_type": 2, "is_hidden": True}),
    "file_data": ("varbinary(max) NULL", {"is_filestream": True}),
    f"graph_id_{NODE}": ("bigint NULL", {"is_hidden": True, "graph_type": 1}),
    f"[$node_id_{NODE}]": ("nvarchar(1000) NULL", {"is_computed": True, "graph_type": 2}),
    "stamp": ("timestamp", {}),
}


def _all_kinds(house: TypeTables) -> None:
    declared = ", ".join(f"{name} {kind}" for name, (kind, _) in KINDS.items())
    house.create("t", f"id int NOT NULL PRIMARY KEY, {declared}")
    (number,) = house.connection.execute("SELECT OBJECT_ID(?)", f"{house.schema}.t").fetchone()
    place = 1 + list(KINDS).index("kept") + 1
    row = {"object_id": number, "name": "kept", "column_id": place, "is_computed": True, "is_persisted": True}
    zero = ("system_type_id", "user_type_id", "max_length", "precision", "scale", "xml_collection_id")
    flags = (
        "is_ansi_padded",
        "is_rowguidcol",
        "is_identity",
        "is_filestream",
        "is_xml_document",
        "uses_database_collation",
    )
    row |= dict.fromkeys((*zero, "default_object_id", "rule_object_id"), 0) | dict.fromkeys(flags, False)
    canned.put_up(
        house.connection,
        columns={f"{house.schema}.t": {name.strip("[]"): flags for name, (_, flags) in KINDS.items()}},
        rows={"sys.computed_columns": [row]},
    )


def test_what_is_not_simply_stored_is_said_in_the_contract(canned_house: TypeTables) -> None:
    _all_kinds(canned_house)
    mapping = _mapping(canned_house)
    assert {name: contract["origin"] for name, contract in mapping.contracts().items()} == {
        "id": "",
        "worked_out": "computed (not persisted: the server computes it at each read)",
        "kept": "computed (persisted)",
        "rare": "sparse",
        "valid_from": "start of the row's period, set by the server",
        "valid_to": "end of the row's period, set by the server: 9999-12-31 23:59:59.9999999 while the row is current",
        "file_data": "FILESTREAM, read as varbinary(max)",
        f"$node_id_{NODE}": "graph pseudo-column, JSON text made by the server",
        "stamp": "",
    }
    assert {left.name: left.reason.split(":")[0] for left in mapping.left_out} == {
        "all_rare": "column set",
        "hidden_to": "hidden",
        f"graph_id_{NODE}": "internal to a graph table",
    }
    types = {m.name: str(m.field.type) for m in mapping.columns}
    assert (types["valid_from"], types["valid_to"], types["stamp"]) == ("timestamp[ns]", "string", "binary")


def test_the_plan_shows_the_contract_of_every_column(canned_house: TypeTables) -> None:
    house = canned_house
    _all_kinds(house)
    house.execute("ALTER TABLE {s}.t ADD since datetimeoffset(7) NULL, ratio float NULL")
    server = house.server
    file = house.root / "dltsync.yaml"
    login = {"server": server.host, "port": server.port, "database": server.database, "username": server.username}
    table = {"schema_name": house.schema, "table_name": "t", "column_representation": {"since": "utc"}}
    config = {
        "database": {**login, "password": "${TYPES_PASSWORD}", "trust_server_certificate": True},
        "static_tables": [table],
    }
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    runner = CliRunner(env={"TYPES_PASSWORD": server.password, "COLUMNS": "400"})
    said = runner.invoke(app, ["plan", "--config", str(file), "--json"])
    assert said.exit_code == 0, said.output
    (plan,) = json.loads(said.stdout)["tables"]
    assert plan["contracts"]["since"]["lost"] == "the offset"
    assert plan["contracts"]["valid_to"]["arrow_type"] == "string"
    assert {name: contract["warehouse"] for name, contract in plan["contracts"].items() if "warehouse" in contract} == {
        "ratio": "the warehouse may not keep 0.0 and -0.0 apart"
    }
    assert set(plan["left_out"]) == {"all_rare", "hidden_to", f"graph_id_{NODE}"}
    shown = runner.invoke(app, ["plan", "--config", str(file)])
    assert shown.exit_code == 0, shown.output
    assert "Columns: 10 without loss, 1 with a loss that the config asks for, 3 left out" in shown.stdout
    assert "loses the offset" in shown.stdout
    assert "left out: column set" in shown.stdout
    assert "ratio" not in shown.stdout, "what is true of every float is on a page"
