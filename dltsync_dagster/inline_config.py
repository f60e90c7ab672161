"""A pipeline's config as an attribute of a component: the path of a file, or the same fields written out.

Secrets are given by the name of a variable (`${SQLSERVER_PASSWORD}`): attributes of components stay in the memory of the
code location as they are written. A variable that is not set where the definitions are loaded (a check in CI) is missed
only when a pipeline is opened.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import WithJsonSchema

from dltsync_core.config import PipelineConfig, build_config, json_schema, read_values
from dltsync_core.config.files import references
from dltsync_core.errors import ConfigError
from dltsync_dagster.settings import LocationSettings

_NOT_SET = "not set where the definitions were loaded"
_REFERENCE = "${"
_TEMPLATE = "{{"
_SECRET_OPTION = re.compile(r"(secret|token|password|credential|sas|connection_string|(^|_)key$)", re.IGNORECASE)

EXAMPLE: dict[str, Any] = {
    "database": {
        "server": "sql.example.com",
        "database": "Shop",
        "username": "reader",
        "password": "${SQLSERVER_PASSWORD}",
    },
    "partition_tables": [{"schema_name": "sales", "table_name": "Orders"}],
    "static_tables": [{"table_name": "Countries"}],
    "state": {"parquet_directory": "lake", "state_directory": "state"},
    "destination": {"path": "warehouse.duckdb"},
}
"""A config that works as it stands, once the server does."""


def inline_schema() -> dict[str, Any]:
    """The JSON schema of the config, each part written out where it is used, each field with an example. Which fields
    there may be it does not enforce: dltsync's own message about a wrong one names it, and the right one."""
    whole = json_schema()
    parts = whole.pop("$defs", {})
    whole.pop("$schema", None)
    return {**_with_examples(_written_out(whole, parts)), "examples": [EXAMPLE]}


@dataclass(frozen=True)
class GivenSettings:
    """The settings of a component. (A bare pydantic model as a field's type is refused by Dagster.)"""

    settings: LocationSettings


@dataclass(frozen=True)
class GivenConfig:
    """A config, and the variables of secrets that were not set when it was built."""

    config: PipelineConfig
    missing: tuple[str, ...] = ()

    def check_secrets(self) -> None:
        """Raises ConfigError when a secret is missing here: in the process that opens the pipeline."""
        unset = [name for name in self.missing if not os.environ.get(name)]
        if unset or self.missing:
            names = ", ".join(unset or self.missing)
            raise ConfigError(
                f"environment variable {names} was not set when the definitions were loaded",
                remedy="set it in the environment of the code location and of its runs, and load the location again",
            )


@dataclass(frozen=True)
class WrittenConfig:
    """The fields of a config before it is built. Relative paths are below `directory`; `origin` names the fields' place
    in errors."""

    values: Mapping[str, Any]
    directory: Path
    origin: str

    def given(self) -> GivenConfig:
        """The config. A variable that only secrets refer to may be missing. Raises ConfigError."""
        texts = [text for _, text in secrets_of(self.values) if isinstance(text, str)]
        named = {name for text in texts for name in references(text) if f"${{{name}}}" in text}
        missing = tuple(sorted(name for name in named if not os.environ.get(name)))
        environment = {**os.environ, **dict.fromkeys(missing, _NOT_SET)}
        config = build_config(self.values, self.origin, environment)
        return GivenConfig(config.located_at(self.directory.absolute()), missing)


def written_config(written: str | Mapping[str, Any], directory: Path, origin: str) -> WrittenConfig:
    """The fields of a file, by its path below `directory`, or those written among the attributes. Raises ConfigError,
    also for a secret that is written out among the attributes."""
    if isinstance(written, str):
        file = directory / written
        return WrittenConfig(read_values(file), file.parent, str(file))
    _refuse_written_secrets(written, origin)
    return WrittenConfig(written, directory, origin)


def secrets_of(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The secrets among the fields, each with its path. Which fields are secret says the schema of the config."""
    yield from _secrets(values, inline_schema(), "")


def _refuse_written_secrets(values: Mapping[str, Any], origin: str) -> None:
    for path, text in secrets_of(values):
        if not isinstance(text, str) or _REFERENCE not in text or _TEMPLATE in text:
            raise ConfigError(
                f"{origin}: {path} is a secret, and its value would stay readable in the code location",
                remedy=f"write the name of an environment variable: {path.rpartition('.')[2]}: ${{VARIABLE}}",
            )


def _secrets(value: Any, schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        fields = _fields(schema)
        for name, inner in value.items():
            where = f"{path}.{name}" if path else str(name)
            if name == "storage_options":
                yield from _secret_options(inner, where)
            elif name in fields:
                yield from _secrets(inner, fields[name], where)
    elif value is not None and any(one.get("format") == "password" for one in _choices(schema)):
        yield path, value


def _secret_options(options: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Keys and tokens among the options of an object store's driver; all of them where they are one text."""
    if not isinstance(options, Mapping):
        yield path, options
        return
    for name, value in options.items():
        if isinstance(value, Mapping):
            yield from _secret_options(value, f"{path}.{name}")
        elif _SECRET_OPTION.search(str(name)):
            yield f"{path}.{name}", value


def _fields(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {name: field for one in _choices(schema) for name, field in one.get("properties", {}).items()}


def _choices(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [
        schema,
        *(one for word in ("anyOf", "oneOf", "allOf") for part in schema.get(word, ()) for one in _choices(part)),
    ]


def _written_out(schema: Any, parts: Mapping[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_written_out(one, parts) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        named = parts[str(schema["$ref"]).rpartition("/")[2]]
        beside = {word: value for word, value in schema.items() if word != "$ref"}
        return _written_out({**named, **beside}, parts)
    if "oneOf" in schema:
        return _in_one([_written_out(one, parts) for one in schema["oneOf"]])
    return {word: _written_out(value, parts) for word, value in schema.items() if word not in _NOT_SHOWN}


def _in_one(forms: list[dict[str, Any]]) -> dict[str, Any]:
    """The forms of an entry (a table by name, tables by a pattern) as one object: Dagster's pages show no choice of objects."""
    fields = {name: field for form in reversed(forms) for name, field in form.get("properties", {}).items()}
    return {**forms[0], "properties": fields}


_NOT_SHOWN = {"discriminator", "additionalProperties", "required"}


def _with_examples(schema: dict[str, Any]) -> dict[str, Any]:
    """Dagster shows as the example of a field its first example, else its default."""
    for name, field in schema.get("properties", {}).items():
        for one in _choices(field):
            if "properties" in one:
                _with_examples(dict(one))
            items = one.get("items")
            if isinstance(items, dict) and "properties" in items:
                _with_examples(items)
        if "examples" not in field:
            field["examples"] = [EXAMPLE[name] if name in EXAMPLE else _example(name, field)]
        for one in field.get("anyOf", ()):
            if one.get("type") != "null":
                one.setdefault("examples", field["examples"])
    return schema


_EXAMPLES: dict[str, Any] = {
    "server": "sql.example.com",
    "username": "reader",
    "password": "${SQLSERVER_PASSWORD}",
    "state_url": "${DLTSYNC_STATE_URL}",
    "storage_options": {"key": "${AWS_ACCESS_KEY_ID}", "secret": "${AWS_SECRET_ACCESS_KEY}"},
    "table_name": "Orders",
    "match": "sales.*",
    "exclude": ["sales.*_backup"],
    "target_table": "orders",
    "target_schema": "sales",
    "include_columns": ["OrderNo", "Amount"],
    "exclude_columns": ["Photo"],
    "column_representation": {"ValidTo": "open_end"},
    "description": "Orders of all shops",
    "tags": {"domain": "sales"},
    "partition_column": "OrderDate",
    "last_modified_column": "LastModified",
    "business_key_columns": ["CustomerNo"],
    "key_columns": ["Code"],
    "force_reload_after": "7d",
    "quality": [{"column": "Code", "not_null": True, "unique": True}],
    "scd_tables": [{"table_name": "Customers", "last_modified_column": "LastModified"}],
    "processing": {"max_workers": 4},
    "representation": {"time": "microseconds"},
    "owners": ["team:data"],
    "docs_url": "https://docs.example.com/dltsync/{page}.html",
    "log_file": "logs/dltsync.jsonl",
    "host_name_in_certificate": "sql.example.com",
    "driver": "ODBC Driver 18 for SQL Server",
    "authentication": "ActiveDirectoryServicePrincipal",
    "access_token": "${SQLSERVER_ACCESS_TOKEN}",
    "access_token_command": ["az", "account", "get-access-token", "--resource", "https://database.windows.net/"],
    "column": "Code",
    "min": 0,
    "max": 100,
    "allowed": ["CH", "JP"],
}


def _example(name: str, field: Mapping[str, Any]) -> Any:
    if name in _EXAMPLES:
        return _EXAMPLES[name]
    for one in _choices(field):
        for word in ("const", "default"):
            if one.get(word) not in (None, [], {}):
                return one[word]
        if one.get("examples"):
            return one["examples"][0]
        if one.get("enum"):
            return one["enum"][0]
    return name


def _settings_schema() -> dict[str, Any]:
    whole = LocationSettings.model_json_schema()
    return _with_examples(_written_out(whole, whole.pop("$defs", {})))


InlineConfig = Annotated[dict[str, Any], WithJsonSchema(inline_schema())]
"""The fields of a config. Their schema is that of the config file, so that editors know every field."""

InlineSettings = Annotated[dict[str, Any], WithJsonSchema(_settings_schema())]
"""The settings of a code location, with the schema of `LocationSettings`."""
