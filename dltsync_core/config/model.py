"""What every config model shares: immutable, no unknown fields, and mistakes raised as ConfigError."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Annotated, Any, TypeAlias, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError, WithJsonSchema
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from dltsync_core.config.error_messages import Origins, explain

log = logging.getLogger("dltsync.config")

T = TypeVar("T")
Listed = Annotated[Sequence[T], AfterValidator(tuple)]
"""A list in the config, stored as a tuple."""

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([smhdw])\s*", re.IGNORECASE)


def _duration(value: Any) -> Any:
    if isinstance(value, str) and (match := _DURATION.fullmatch(value)):
        return timedelta(**{_UNITS[match[2].lower()]: float(match[1])})
    if isinstance(value, timedelta) or (isinstance(value, str) and value.upper().startswith("P")) or value is None:
        return value
    raise ValueError("is not a duration: write a number and a unit, such as 30m, 12h, 7d or 2w")


Duration: TypeAlias = Annotated[
    timedelta, BeforeValidator(_duration), WithJsonSchema({"type": "string", "examples": ["30m", "12h", "7d", "2w"]})
]
"""A length of time in the config."""


@dataclass
class _Building:
    """The environment that a config is built in, and which fields were taken from it."""

    variables: Mapping[str, str]
    origins: Origins = field(default_factory=dict)


_building: ContextVar[_Building | None] = ContextVar("dltsync_config_building", default=None)
_environment: ContextVar[_Building | None] = ContextVar("dltsync_config_environment", default=None)


@contextmanager
def reading_environment(variables: Mapping[str, str], origins: Origins) -> Iterator[None]:
    """Within the block missing fields are filled from these variables, not from the process's own. `origins` names the variables
    of values that were taken before."""
    token = _environment.set(_Building(variables, dict(origins)))
    try:
        yield
    finally:
        _environment.reset(token)


@contextmanager
def _outermost(model: type[BaseModel]) -> Iterator[None]:
    """Translate errors once, in the outermost model: errors of an inner model need the path of the outer one."""
    if _building.get() is not None:
        yield
        return
    given = _environment.get()
    building = _Building(given.variables, dict(given.origins)) if given else _Building(os.environ)
    token = _building.set(building)
    try:
        yield
    except ValidationError as error:
        # `from None`: pydantic's own message repeats that of explain(), with less detail.
        raise explain(error, model, building.origins) from None
    finally:
        _building.reset(token)


class Spec(BaseModel):
    """A part of the config. Raises ConfigError with every problem when it cannot be built."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
        validate_default=True,
    )

    def __init__(self, **values: Any) -> None:
        with _outermost(type(self)):
            super().__init__(**values)


class EnvironmentSpec(BaseSettings):
    """A part of the config whose missing fields are filled from environment variables `<prefix><FIELD>`."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
        validate_default=True,
        env_ignore_empty=True,
    )

    def __init__(self, **values: Any) -> None:
        with _outermost(type(self)):
            super().__init__(**values)

    @classmethod
    def excluded_fields(cls, given: Mapping[str, Any]) -> Mapping[str, str]:
        """Fields that the environment must not fill, each with the reason: which of the `given` values excludes it."""
        return {}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, _EnvironmentSource(settings_cls, cls.excluded_fields, init_settings, env_settings)


class _EnvironmentSource(PydanticBaseSettingsSource):
    """Values from the environment for fields that are not given and not excluded."""

    def __init__(
        self,
        settings_cls: type[BaseSettings],
        excluded_fields: Callable[[Mapping[str, Any]], Mapping[str, str]],
        given: PydanticBaseSettingsSource,
        environment: PydanticBaseSettingsSource,
    ) -> None:
        super().__init__(settings_cls)
        self._excluded_fields = excluded_fields
        self._given = given
        self._environment = environment

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self._environment.get_field_value(field, field_name)

    def __call__(self) -> dict[str, Any]:
        building = _building.get()
        if building is None:  # cannot happen: only __init__ calls this
            raise RuntimeError("a model is built outside its constructor")
        if isinstance(self._environment, EnvSettingsSource):
            self._environment.env_vars = {name.lower(): text for name, text in building.variables.items() if text}
        given = self._given()
        prefix = str(self.config.get("env_prefix", ""))
        excluded = self._excluded_fields(given)
        result: dict[str, Any] = {}
        for name, value in self._environment().items():
            variable = f"{prefix}{name}".upper()
            if name in given:
                continue
            if name in excluded:
                _warn_once(f"environment variable {variable} is not used: {excluded[name]}")
                continue
            result[name] = value
            building.origins[self.settings_cls, name] = variable
        return result


@cache
def _warn_once(message: str) -> None:
    log.warning(message)
