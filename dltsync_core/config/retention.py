"""How much of a partition table its warehouse table holds."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from dltsync_core.config.model import Duration, Spec

if TYPE_CHECKING:
    from typing_extensions import Self

SHORTEST_AGE = timedelta(days=1)


class Retention(Spec):
    """The sliding window of a partition table. Partitions that lie wholly before it are not loaded, and what the warehouse has of
    them is removed after a successful load of the table. With both fields a partition is removed only when it is beyond both."""

    partitions: int | None = Field(default=None, ge=1)
    """The newest partitions that hold rows, so many of them, and all between them and after them. Partitions without rows do not
    count, so that partitions made in advance push nothing out."""
    age: Duration | None = None
    """Partitions whose values are all older than this are out of the window: `90d`, `104w`. At least a day, counted back from the
    current date in UTC. For a partition column of a date type, and of a whole number type with `date_format`."""
    date_format: Literal["yyyymmdd", "yyyymm", "yyyy"] | None = None
    """How a partition column of a whole number type writes dates, so that `age` can read its boundaries: `yyyymmdd` for 20240131,
    `yyyymm` for 202401, `yyyy` for 2024. A boundary that is no such date is an error."""

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.partitions is None and self.age is None:
            raise ValueError("retention is empty: give partitions, age or both, or leave it out to remove nothing")
        if self.age is not None and self.age < SHORTEST_AGE:
            raise ValueError("age must be a day or longer")
        if self.date_format is not None and self.age is None:
            raise ValueError("date_format says how age reads boundaries: give age, or leave date_format out")
        return self
