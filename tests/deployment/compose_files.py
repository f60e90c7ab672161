"""Compose files as Docker reads them: variables replaced, anchors merged, every key one of the specification's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]

_VARIABLE = re.compile(r"\$(?:(\$)|\{([A-Z0-9_]+)(?:(:-|:\?)([^}]*))?\})")


class UnsetVariableError(ValueError):
    """A variable that the file requires is not set; the message is that of the file."""


def rendered(file: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """The file's values with `${NAME}`, `${NAME:-default}` and `${NAME:?message}` replaced, and `$$` as one `$`. Raises
    UnsetVariableError."""

    def value(match: re.Match[str]) -> str:
        dollar, name, how, text = match.groups()
        if dollar:
            return "$"
        found = environment.get(name, "")
        if found or how is None:
            return found
        if how == ":?":
            raise UnsetVariableError(f"{name}: {text}")
        return str(text)

    def walked(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: walked(inner) for key, inner in node.items()}
        if isinstance(node, list):
            return [walked(inner) for inner in node]
        return _VARIABLE.sub(value, node) if isinstance(node, str) else node

    found: dict[str, Any] = walked(yaml.safe_load(file.read_text(encoding="utf-8")))
    return found


def passed_environment(service: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that a service gets from its section `environment`: those without a value only when they are set."""
    given: dict[str, str | None] = service.get("environment", {})
    passed = {name: environment.get(name) if value is None else str(value) for name, value in given.items()}
    return {name: value for name, value in passed.items() if value is not None}


def bound_files(service: Mapping[str, Any]) -> dict[str, str]:
    """Files of the repository that a service sees, by their path in it."""
    volumes = [entry.split(":") for entry in service.get("volumes", ())]
    return {parts[1]: parts[0] for parts in volumes if parts[0].startswith(".")}
