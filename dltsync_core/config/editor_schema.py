"""The JSON schema that editors check a config file with: what the file says before references are replaced.

It differs from the schema of the models in two ways. `${VARIABLE}` is admitted where a scalar is wanted, because references are
replaced before the models look: numbers, booleans, words of a list. And fields of `database` are not required, because the
environment may give them.
"""

from __future__ import annotations

from typing import Any

from pydantic_settings import BaseSettings

from dltsync_core.config.database import DatabaseConfig
from dltsync_core.config.pipeline import PipelineConfig

REFERENCE: dict[str, Any] = {"type": "string", "pattern": r"\$\{[A-Za-z_]"}
"""Text with a reference in it."""

_ANNOTATIONS = ("title", "description", "default", "examples", "deprecated")
_FROM_ENVIRONMENT: tuple[type[BaseSettings], ...] = (DatabaseConfig,)


def editor_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the config file, for editors and for `dltsync schema`."""
    schema = _with_references(PipelineConfig.model_json_schema())
    for model in _FROM_ENVIRONMENT:
        schema["$defs"][model.__name__].pop("required", None)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _with_references(schema: Any) -> Any:
    """The schema with every scalar in it extended."""
    if isinstance(schema, list):
        return [_with_references(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if _is_narrow(schema):
        beside = {word: schema[word] for word in _ANNOTATIONS if word in schema}
        inner = {word: value for word, value in schema.items() if word not in _ANNOTATIONS}
        return {**beside, "anyOf": [inner, REFERENCE]}
    return {
        word: _of_fields(value)
        if word in ("properties", "$defs")
        else value
        if word in _ANNOTATIONS
        else _with_references(value)
        for word, value in schema.items()
    }


def _of_fields(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: _with_references(field) for name, field in fields.items()}


def _is_narrow(schema: dict[str, Any]) -> bool:
    """Whether it is about a scalar, and text with a reference is none of its values."""
    if "enum" in schema or "const" in schema:
        return True
    kind = schema.get("type")
    return kind in ("integer", "number", "boolean") or (
        kind == "string" and any(word in schema for word in ("pattern", "maxLength", "format"))
    )
