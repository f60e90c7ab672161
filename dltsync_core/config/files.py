"""A config file becomes a PipelineConfig: YAML or TOML, environment references, environment overrides.

`${NAME}` in a string is the environment variable, `${NAME:-text}` has a default for a variable that is unset or empty, and `$${`
is a literal `${`. The value of a variable is taken as it is: it is not parsed as YAML and not interpolated again, so a password
may hold anything.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from dltsync_core.config.environment import (
    CONFIG_VARIABLE,
    misspelt_config_variable,
    overridden,
    unknown_variables,
)
from dltsync_core.config.error_messages import config_error
from dltsync_core.config.model import reading_environment
from dltsync_core.config.pipeline import PipelineConfig
from dltsync_core.config.syntax_errors import explain_toml, explain_yaml
from dltsync_core.config.yaml_reader import PlainLoader
from dltsync_core.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEFAULT_FILE = "dltsync.yaml"


def load_config(path: Path | str | None = None, environment: Mapping[str, str] | None = None) -> PipelineConfig:
    """The config in a YAML (.yaml, .yml) or TOML (.toml) file; relative paths in it are relative to its directory.

    Without `path`: the file DLT_SYNC_CONFIG names, else ./dltsync.yaml. `${VARIABLE}` in strings is replaced; a variable
    DLT_SYNC_<SECTION>__<FIELD> (sections: database, processing, representation, state, destination) wins over the file, while
    plain DLT_SYNC_<FIELD> only fills fields that `database` leaves out. Any other DLT_SYNC_ variable is an error, unless the
    file refers to it. Raises ConfigError naming the file and the fields.
    """
    variables = os.environ if environment is None else environment
    file = Path(path) if path is not None else Path(variables.get(CONFIG_VARIABLE) or DEFAULT_FILE)
    if path is None and not file.exists() and (meant := misspelt_config_variable(variables)):
        raise ConfigError(
            f"there is no config file {file}; {meant} is set in the environment and unknown",
            remedy=f"did you mean {CONFIG_VARIABLE}? Or give the file's path with --config",
        )
    return build_config(read_values(file), str(file), variables).located_at(file.absolute().parent)


def read_values(file: Path) -> dict[str, Any]:
    """The fields of a config file as they are written, references included. Raises ConfigError for a file that is none."""
    return _parse(file, _read(file))


def build_config(
    written: Mapping[str, Any], origin: str, environment: Mapping[str, str] | None = None
) -> PipelineConfig:
    """The config of fields as a file has them, with references and the environment's overrides. Relative paths stay so. Raises
    ConfigError naming `origin` and the fields."""
    variables = os.environ if environment is None else environment
    values, problems = interpolate(dict(written), variables)
    values, origins, misnamed = overridden(values, variables)
    problems += misnamed + unknown_variables(variables, references(written))
    if problems:
        raise config_error(origin, problems)
    try:
        with reading_environment(variables, origins):
            return PipelineConfig(**values)
    except ConfigError as error:
        lines = error.facts.get("problems")
        if not isinstance(lines, tuple):
            raise
        raise config_error(origin, lines) from None


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the config, its references replaced. `editor_schema` is that of the file."""
    schema = PipelineConfig.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(
            f"there is no config file {file}", remedy=f"give its path with --config, or in {CONFIG_VARIABLE}"
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not UTF-8 text (byte {error.start})", remedy="save it as UTF-8") from None
    except OSError as error:
        raise ConfigError(
            f"cannot read {file}: {error.strerror}", remedy="give the path of a file that this user may read"
        ) from error


def _parse(file: Path, text: str) -> dict[str, Any]:
    kind = file.suffix.lower()
    if kind == ".toml":
        values = _parse_toml(file, text)
    elif kind in {".yaml", ".yml"}:
        values = _parse_yaml(file, text)
    else:
        raise ConfigError(f"{file}: unknown kind of config file", remedy="name it .yaml, .yml or .toml")
    if not isinstance(values, dict):
        raise ConfigError(
            f"{file}: expected fields at the top level, such as `database:`, found {_kind_of(values)}",
            remedy="`dltsync init` writes a config file; docs/configuration.md describes every field",
        )
    return values


def _parse_toml(file: Path, text: str) -> Any:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise explain_toml(str(file), text, str(error)) from None


def _parse_yaml(file: Path, text: str) -> Any:
    try:
        return yaml.load(text, Loader=PlainLoader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        # `from None`: the error itself shows the line, and the line may hold a password.
        raise explain_yaml(str(file), text, error) from None
    except yaml.YAMLError:
        raise ConfigError(
            f"{file}: not valid YAML: it holds characters that YAML does not allow",
            remedy='remove control characters; in double quotes they can be written as escapes: "\\u0007"',
        ) from None


def _kind_of(value: Any) -> str:
    return {type(None): "an empty file", list: "a list", str: "text"}.get(type(value), type(value).__name__)


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
