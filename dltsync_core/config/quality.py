"""Quality rules of a static table, checked on the staged files before they are published."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from dltsync_core.config.model import Listed, Spec

if TYPE_CHECKING:
    from typing_extensions import Self


def _as_text(value: Any) -> Any:
    """Dates, which TOML parses itself, become ISO text again: the type of the column decides what they are."""
    return value.isoformat() if isinstance(value, (date, datetime, time)) else value


Scalar: TypeAlias = Annotated[bool | int | Decimal | float | str, BeforeValidator(_as_text)]
"""A value to compare with, turned into the column's Arrow type when it is used."""


class QualityRule(Spec):
    """Conditions on one column. Violating rows are counted per check; only `not_null` considers NULL."""

    column: str = Field(min_length=1)
    """Column of the table."""
    not_null: bool = False
    """No row has NULL."""
    unique: bool = False
    """No two rows have the same value; NULLs do not count as equal."""
    min: Scalar | None = None
    """Smallest allowed value. Dates and times as ISO text."""
    max: Scalar | None = None
    """Largest allowed value. Dates and times as ISO text."""
    allowed: Listed[Scalar] | None = None
    """The allowed values (NULL is allowed too), compared exactly, with case. A uniqueidentifier may be written in either case,
    a char(n) without the blanks at its end."""
    severity: Literal["error", "warn"] = "error"
    """`error` stops the load before anything is published; `warn` is reported and the load goes on."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (
            self.not_null or self.unique or self.allowed is not None or self.min is not None or self.max is not None
        ):
            raise ValueError("checks nothing: give not_null, unique, min, max or allowed")
        if self.allowed is not None and not self.allowed:
            raise ValueError("allowed is empty, so no value could ever pass")
        return self
