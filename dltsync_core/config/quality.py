"""Quality rules of a static table: checked on the staged lake file, before anybody can see it."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from dltsync_core.config.model import Listed, Spec

if TYPE_CHECKING:
    from typing_extensions import Self


def _as_text(value: Any) -> Any:
    """Dates, which TOML reads on its own, become ISO text again: the column's type decides what they are."""
    return value.isoformat() if isinstance(value, (date, datetime, time)) else value


Scalar: TypeAlias = Annotated[bool | int | Decimal | float | str, BeforeValidator(_as_text)]
"""A value to compare with, turned into the column's Arrow type when it is used."""


class QualityRule(Spec):
    """What must hold for one column. Rows are counted per check; NULL only matters to `not_null`."""

    column: str = Field(min_length=1)
    """Column of the table."""
    not_null: bool = False
    """No row may hold NULL."""
    unique: bool = False
    """No two rows may hold the same value; NULLs do not count as the same."""
    min: Scalar | None = None
    """No value may be smaller. Dates and times as ISO text."""
    max: Scalar | None = None
    """No value may be larger. Dates and times as ISO text."""
    allowed: Listed[Scalar] | None = None
    """Only these values (and NULL) may occur; compared exactly, case included. A uniqueidentifier may be written in either case,
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
