"""What every config model shares: immutable, no unknown fields, and mistakes told as ConfigError."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from dltsync_core.config.problems import explain

T = TypeVar("T")
Listed = Annotated[Sequence[T], AfterValidator(tuple)]
"""A list as a person writes it, kept as a tuple."""

_building: ContextVar[bool] = ContextVar("dltsync_config_building", default=False)


@contextmanager
def _outermost(model: type[BaseModel]) -> Iterator[None]:
    """Translate once, at the outside: an inner model's findings must first get the path of the outer one."""
    if _building.get():
        yield
        return
    token = _building.set(True)
    try:
        yield
    except ValidationError as error:
        # `from None`: pydantic's own message would repeat what explain() says, with less to go by.
        raise explain(error, model) from None
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
