"""A database's catalogue as JSON and back, as the engine stores it beside the rows. Fields with a default may be missing."""

from __future__ import annotations

import json
from typing import Any

from sqlserver_sandbox.model import SqlType
from sqlserver_sandbox.tsql.catalogue import (
    Database,
    Filegroup,
    Index,
    IndexColumn,
    PartitionFunction,
    PartitionScheme,
    Permission,
    Schema,
    SqlLogin,
    Table,
    TableColumn,
    User,
)
from sqlserver_sandbox.tsql.constraints import Default, check_from_json, foreign_key_from_json
from sqlserver_sandbox.tsql.features import ColumnFeatures, TableFeatures


def to_json(database: Database) -> str:
    return json.dumps(database, default=vars)


def from_json(text: str) -> Database:
    raw = json.loads(text)
    raw["schemas"] = tuple(Schema(**s) for s in raw["schemas"])
    raw["schemes"] = tuple(
        PartitionScheme(**{**s, "filegroups": tuple(s.get("filegroups", ()))}) for s in raw["schemes"]
    )
    raw["filegroups"] = tuple(Filegroup(**f) for f in raw.get("filegroups", ()))
    raw["functions"] = tuple(
        PartitionFunction(**{**f, "type": SqlType(**f["type"]), "boundaries": tuple(f["boundaries"])})
        for f in raw["functions"]
    )
    raw["users"] = tuple(User(**u) for u in raw.get("users", ()))
    raw["permissions"] = tuple(Permission(**p) for p in raw.get("permissions", ()))
    raw["logins"] = tuple(SqlLogin(**x) for x in raw.get("logins", ()))
    raw["tables"] = tuple(_table(t) for t in raw["tables"])
    return Database(**raw)


def _table(raw: dict[str, Any]) -> Table:
    columns = tuple(_column(c) for c in raw["columns"])
    return Table(
        **{
            **raw,
            "columns": columns,
            "indexes": tuple(_index(i) for i in raw["indexes"]),
            "checks": tuple(check_from_json(c) for c in raw.get("checks", ())),
            "foreign_keys": tuple(foreign_key_from_json(f) for f in raw.get("foreign_keys", ())),
            "features": TableFeatures(**raw.get("features", {})),
        }
    )


def _index(raw: dict[str, Any]) -> Index:
    exceptions = tuple((number, kind) for number, kind in raw.get("partition_compression", ()))
    columns = tuple(IndexColumn(**c) for c in raw["columns"])
    return Index(**{**raw, "columns": columns, "partition_compression": exceptions})


def _column(raw: dict[str, Any]) -> TableColumn:
    default = Default(**raw["default"]) if raw["default"] else None
    identity = (raw["identity"][0], raw["identity"][1]) if raw["identity"] else None
    features = ColumnFeatures(**raw.get("features", {}))
    declared = SqlType(**raw["type"])
    return TableColumn(**{**raw, "type": declared, "default": default, "identity": identity, "features": features})
