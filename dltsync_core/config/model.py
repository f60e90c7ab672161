"""What every config model shares: immutable, no unknown fields, and mistakes told as ConfigError."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from dltsync_core.config.error_messages import Origins, explain

log = logging.getLogger("dltsync.config")

T = TypeVar("T")
Listed = Annotated[Sequence[T], AfterValidator(tuple)]
"""A list as a person writes it, kept as a tuple."""


@dataclass
class _Building:
    """What is known while a config is built: the environment it is built in, and what was taken from there."""

    variables: Mapping[str, str]
    origins: Origins = field(default_factory=dict)


_building: ContextVar[_Building | None] = ContextVar("dltsync_config_building", default=None)
_environment: ContextVar[_Building | None] = ContextVar("dltsync_config_environment", default=None)


@contextmanager
def reading_environment(variables: Mapping[str, str], origins: Origins) -> Iterator[None]:
    """Within the block missing fields are filled from these variables, not from the process's own. `origins` tells of values
    that were taken from variables already."""
    token = _environment.set(_Building(variables, dict(origins)))
    try:
        yield
    finally:
        _environment.reset(token)


@contextmanager
def _outermost(model: type[BaseModel]) -> Iterator[None]:
    """Translate once, at the outside: an inner model's findings must first get the path of the outer one."""
    if _building.get() is not None:
        yield
        return
    given = _environment.get()
    building = _Building(given.variables, dict(given.origins)) if given else _Building(os.environ)
    token = _building.set(building)
    try:
        yield
    except ValidationError as error:
        # `from None`: pydantic's own message would repeat what explain() says, with less to go by.
        raise explain(error, model, building.origins) from None
    finally:
        _building.reset(token)


class Spec(BaseModel):
    """A part of the config. Raises ConfigError, with every finding, when it cannot be built."""

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
    def not_wanted(cls, given: Mapping[str, Any]) -> Mapping[str, str]:
        """Fields that the environment must not fill, and what of the `given` values rules them out."""
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
        return init_settings, _Fill(settings_cls, cls.not_wanted, init_settings, env_settings)


class _Fill(PydanticBaseSettingsSource):
    """What the environment says of the fields that are not given and that it may fill."""

    def __init__(
        self,
        settings_cls: type[BaseSettings],
        not_wanted: Callable[[Mapping[str, Any]], Mapping[str, str]],
        given: PydanticBaseSettingsSource,
        environment: PydanticBaseSettingsSource,
    ) -> None:
        super().__init__(settings_cls)
        self._not_wanted = not_wanted
        self._given = given
        self._environment = environment

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self._environment.get_field_value(field, field_name)

    def __call__(self) -> dict[str, Any]:
        building = _building.get()
        if building is None:  # cannot be: __init__ is the only way here
            raise RuntimeError("a model is built outside its constructor")
        if isinstance(self._environment, EnvSettingsSource):
            self._environment.env_vars = {name.lower(): text for name, text in building.variables.items() if text}
        given = self._given()
        prefix = str(self.config.get("env_prefix", ""))
        unwanted = self._not_wanted(given)
        result: dict[str, Any] = {}
        for name, value in self._environment().items():
            variable = f"{prefix}{name}".upper()
            if name in given:
                continue
            if name in unwanted:
                _say_once(f"environment variable {variable} is not used: {unwanted[name]}")
                continue
            result[name] = value
            building.origins[self.settings_cls, name] = variable
        return result


@cache
def _say_once(message: str) -> None:
    log.warning(message)
