"""Environment variables of a config: their names, and the field that each one sets. Pure.

`DLT_SYNC_<SECTION>__<FIELD>` wins over the file; `DLT_SYNC_<FIELD>` fills fields that `database` leaves out. Any other variable
with this prefix is an error, unless the file refers to it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import BaseModel

from dltsync_core.config.database import DatabaseConfig
from dltsync_core.config.error_messages import Origins, nearest
from dltsync_core.config.pipeline import PipelineConfig
from dltsync_core.errors import ConfigError

PREFIX = "DLT_SYNC_"
CONFIG_VARIABLE = "DLT_SYNC_CONFIG"
"""Environment variable with the path of the config file."""
DEBUG_VARIABLE = "DLT_SYNC_DEBUG"
"""Environment variable that shows the traceback of a defect."""
LOG_LEVEL_VARIABLE = "DLT_SYNC_LOG_LEVEL"
"""Environment variable that wins over `log_level`."""
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
SECTIONS = ("database", "processing", "representation", "state", "destination")

_OF_DAGSTER = "DLT_SYNC_DAGSTER_"
"""Settings of the code location, which checks them itself."""
_OF_KUBERNETES = re.compile(r"DLT_SYNC_(SERVICE_(HOST|PORT\w*)|PORT_\d+_(TCP|UDP|SCTP)\w*)")
"""Kubernetes (and `docker --link`) sets these in every container beside a service named dlt-sync."""


def overridden(values: Mapping[str, Any], variables: Mapping[str, str]) -> tuple[dict[str, Any], Origins, list[str]]:
    """The values overridden by DLT_SYNC_<SECTION>__<FIELD>, the variable of each, and a line for each unknown variable."""
    result = dict(values)
    origins: Origins = {}
    problems: list[str] = []
    for name, text in sorted(variables.items()):
        section, separator, field = name.upper().removeprefix(PREFIX).lower().partition("__")
        if not name.upper().startswith(PREFIX) or not separator or not text or _is_foreign(name):
            continue
        if section not in SECTIONS:
            problems.append(_unknown(name, "no such section", _SECTION_VARIABLES, f"sections: {', '.join(SECTIONS)}"))
            continue
        model = section_model(section)
        if field not in model.model_fields:
            known = [f"{PREFIX}{section.upper()}__{other.upper()}" for other in model.model_fields]
            problems.append(_unknown(name, "no such field", known, f"fields: {', '.join(model.model_fields)}"))
            continue
        inner = result.get(section)
        result[section] = {**(inner if isinstance(inner, dict) else {}), field: text}
        origins[model, field] = name
    return result, origins, problems


def unknown_variables(variables: Mapping[str, str], referenced: Collection[str]) -> list[str]:
    """A line for each unknown variable with the prefix DLT_SYNC_. `referenced` are the variables that the file names; an empty
    variable counts as not set."""
    return [
        _unknown(
            name,
            "no such variable",
            [*_PLAIN, *_SECTION_VARIABLES],
            f"DLT_SYNC_ is followed by CONFIG, DEBUG, LOG_LEVEL, a field of database ({', '.join(_FIELDS)}), "
            "<SECTION>__<FIELD>, or DAGSTER_<SETTING>.",
        )
        + f" Otherwise unset it; a variable of your own takes another prefix, or the file uses it as ${{{name}}}"
        for name, text in sorted(variables.items())
        if text
        and name.upper().startswith(PREFIX)
        and "__" not in name
        and name.upper() not in _PLAIN
        and name not in referenced
        and not _is_foreign(name)
    ]


def section_model(section: str) -> type[BaseModel]:
    """The model of a section of the config."""
    model = PipelineConfig.model_fields[section].annotation
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise TypeError(f"{section} is not a section")
    return model


def misspelt_config_variable(variables: Mapping[str, str]) -> str | None:
    """A variable whose name is probably a misspelling of DLT_SYNC_CONFIG."""
    unknown = [n for n, text in variables.items() if text and n.upper().startswith(PREFIX) and n.upper() not in _PLAIN]
    return next((name for name in sorted(unknown) if _nearest(name, _PLAIN) == CONFIG_VARIABLE), None)


def log_level_of(variables: Mapping[str, str] = os.environ) -> str | None:
    """The level in DLT_SYNC_LOG_LEVEL, in upper case; None when it is not set or empty. Raises ConfigError for any other text."""
    level = variables.get(LOG_LEVEL_VARIABLE, "").upper()
    if level and level not in LOG_LEVELS:
        raise ConfigError(
            f"environment variable {LOG_LEVEL_VARIABLE} is {level!r}, which is no level of the log",
            remedy=f"set it to {', '.join(LOG_LEVELS[:-1])} or {LOG_LEVELS[-1]}, or unset it",
        )
    return level or None


def _is_foreign(name: str) -> bool:
    return name.upper().startswith(_OF_DAGSTER) or _OF_KUBERNETES.fullmatch(name) is not None


def _unknown(name: str, problem: str, known: Collection[str], otherwise: str) -> str:
    hint = _nearest(name, known)
    return f"environment variable {name}: {problem}; " + (f"did you mean {hint}?" if hint else otherwise)


def _nearest(name: str, known: Collection[str]) -> str | None:
    """The known variable with the nearest name. The prefix, which all share, does not count."""
    found = nearest(name.upper().removeprefix(PREFIX), [other.removeprefix(PREFIX) for other in known])
    return PREFIX + found if found else None


_FIELDS = tuple(name.upper() for name in DatabaseConfig.model_fields)
_PLAIN = (CONFIG_VARIABLE, DEBUG_VARIABLE, LOG_LEVEL_VARIABLE, *(PREFIX + name for name in _FIELDS))
_SECTION_VARIABLES = tuple(
    f"{PREFIX}{section.upper()}__{field.upper()}"
    for section in SECTIONS
    for field in section_model(section).model_fields
)
