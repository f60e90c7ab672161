"""Error messages for a config: pydantic's errors become one ConfigError that names every field.

Input values are never repeated: one of them may be a password in the wrong field.
"""

from __future__ import annotations

import difflib
import inspect
import re
import typing
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from pydantic import BaseModel, Tag, ValidationError

from dltsync_core.errors import ConfigError

Origins: TypeAlias = dict[tuple[type[BaseModel], str], str]
"""The environment variable that a field of a model was taken from."""


def explain(error: ValidationError, model: type[BaseModel], origins: Origins | None = None) -> ConfigError:
    """One ConfigError for all problems. `facts["problems"]` holds the lines, so that the reader of a file can add its path.
    A value from the environment is named with its variable, because it is not in the file."""
    lines = tuple(
        _line(finding["loc"], finding["type"], finding["msg"], model)
        + _origin(finding["loc"], finding["type"], finding["msg"], model, origins or {})
        for finding in error.errors(include_url=False, include_input=False, include_context=False)
    )
    return config_error(f"{model.__name__}", lines)


def config_error(where: str, lines: Sequence[str]) -> ConfigError:
    """A ConfigError whose message lists every problem under `where` they were found."""
    remedy = f"correct {'it' if len(lines) == 1 else 'them'}; `dltsync schema` and docs/configuration.md describe every field"
    if len(lines) == 1:
        return ConfigError(f"{where}: {lines[0]}", remedy=remedy, problems=tuple(lines))
    listed = "\n".join(f"  - {line}" for line in lines)
    return ConfigError(f"{where}: {len(lines)} problems\n{listed}", remedy=remedy, problems=tuple(lines))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name nearest to `name`, or None when none is near. Case does not count."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    found = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def _line(loc: tuple[int | str, ...], kind: str, message: str, model: type[BaseModel]) -> str:
    path = _path(loc)
    if kind == "extra_forbidden":
        owner = _model_at(model, loc[:-1])
        known = list(owner.model_fields) if owner else []
        hint = nearest(str(loc[-1]), known)
        advice = f"did you mean `{hint}`?" if hint else f"known fields: {', '.join(sorted(known))}"
        return f"{path}: unknown field; {advice}"
    if kind == "missing":
        return f"{path}: missing{_environment_hint(model, loc)}"
    if kind == "string_type":
        return f"{path}: must be text; put it in quotes"
    text = message.removeprefix("Value error, ")
    return f"{path}: {text}" if path else text


def _origin(loc: tuple[int | str, ...], kind: str, message: str, model: type[BaseModel], origins: Origins) -> str:
    """The environment variables that the problem is about, in brackets; empty when there is none."""
    if kind in {"extra_forbidden", "missing"}:
        return ""
    owner = _model_at(model, loc)
    names = {
        variable
        for (part, field), variable in origins.items()
        if (loc and part is _model_at(model, loc[:-1]) and field == loc[-1])
    }
    if not names and owner is not None:  # a problem of several fields together
        words = set(re.findall(r"\w+", message))
        names = {variable for (part, field), variable in origins.items() if part is owner and field in words}
    return f" ({', '.join(sorted(names))} in the environment)" if names else ""


_TAG = re.compile(r"\(\w+\)")
"""Which form of an entry a path goes through (`config.tables`): no field of the file."""


def _path(loc: Sequence[int | str]) -> str:
    path = ""
    for part in loc:
        if isinstance(part, str) and _TAG.fullmatch(part):
            continue
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{part}" if path else part
    return path


def _environment_hint(model: type[BaseModel], loc: tuple[int | str, ...]) -> str:
    owner = _model_at(model, loc[:-1])
    prefix = str(owner.model_config.get("env_prefix", "")) if owner else ""
    return f" (or set {prefix}{str(loc[-1]).upper()} in the environment)" if prefix else ""


def _model_at(model: type[BaseModel] | None, loc: Sequence[int | str]) -> type[BaseModel] | None:
    """The model that a path of field names, list positions and tags leads to."""
    annotation: Any = None
    for part in loc:
        if isinstance(part, int):
            continue
        if _TAG.fullmatch(part):
            model = _model_in(annotation, part)
            continue
        field = model.model_fields.get(part) if model else None
        annotation = field.annotation if field else None
        model = _model_in(annotation)
    return model


def _model_in(annotation: Any, tag: str | None = None) -> type[BaseModel] | None:
    """The first model in a type; with `tag` the one that has it."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return annotation if tag is None else None
    inner = typing.get_args(annotation)
    if tag is not None and any(isinstance(mark, Tag) and mark.tag == tag for mark in inner):
        tag = None
    return next((found for each in inner if (found := _model_in(each, tag))), None)
