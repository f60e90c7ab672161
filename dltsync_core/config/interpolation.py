"""`${VARIABLE}` inside the strings of a config file.

`${NAME}` is the environment variable, `${NAME:-text}` has a default for a variable that is unset or empty, `$${` is a literal
`${`. What a variable holds is taken as it is: it is not parsed as YAML and not interpolated again, so a password may hold
anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_REFERENCE = re.compile(r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|(?P<broken>\$\{)")


def interpolate(value: Any, environment: Mapping[str, str], path: str = "") -> tuple[Any, list[str]]:
    """The value with every reference replaced, and a line for each that cannot be (its field first)."""
    problems: list[str] = []
    if isinstance(value, str):
        return _REFERENCE.sub(lambda match: _replacement(match, environment, path, problems), value), problems
    result: Any = value
    if isinstance(value, dict):
        result = {}
        for key, inner in value.items():
            result[key], found = interpolate(inner, environment, f"{path}.{key}" if path else str(key))
            problems += found
    elif isinstance(value, list):
        result = []
        for position, inner in enumerate(value):
            done, found = interpolate(inner, environment, f"{path}[{position}]")
            result.append(done)
            problems += found
    return result, problems


def references(value: Any) -> set[str]:
    """The variables that the strings of a value refer to."""
    if isinstance(value, str):
        return {match["name"] for match in _REFERENCE.finditer(value) if match["name"]}
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {name for part in inner for name in references(part)}


def _replacement(match: re.Match[str], environment: Mapping[str, str], path: str, problems: list[str]) -> str:
    if match["broken"]:
        problems.append(
            f"{path}: `${{` opens a reference that is not `${{NAME}}` or `${{NAME:-default}}`; write `$${{` for the text"
        )
        return ""
    if match["name"] is None:
        return "${"
    value = environment.get(match["name"], "")
    if value:
        return value
    if match["default"] is not None:
        return match["default"]
    problems.append(f"{path}: environment variable {match['name']} is not set")
    return ""
