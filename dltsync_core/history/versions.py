"""Versions of history as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, TypeAlias

from dltsync_core.history.collation import CollationRule

if TYPE_CHECKING:
    pass

_SECOND = 1_000_000_000
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class VersionColumns:
    """The columns of a table's history. `spellings` gives for each business key how the source compares its text; None
    for keys that are not text. Left out: none is text."""

    business_keys: tuple[str, ...]
    effective_date: str
    end_date: str
    is_latest: str
    spellings: tuple[CollationRule | None, ...] = ()

    @property
    def compared(self) -> tuple[tuple[str, CollationRule | None], ...]:
        """Each business key with its collation rule."""
        spellings = self.spellings or (None,) * len(self.business_keys)
        return tuple(zip(self.business_keys, spellings, strict=True))


@dataclass(frozen=True)
class Version:
    """One row of history, valid in [valid_from, valid_to).

    Moments are nanoseconds since 1970, UTC, exact whatever the column's type. `valid_to` None means open: the store translates
    a table's open ends (NULL, 9999-12-31) and inclusive ends. `row` is the store's handle, valid within one transaction. `key`
    is for people, as written. Versions of one `entity` are surely versions of one thing; versions of several entities that are
    alike in `like` may be (`Spelling.same_as` and `.like` of the key). Empty: the key.
    """

    row: int
    key: tuple[str | None, ...]
    valid_from: int
    valid_to: int | None
    is_latest: bool
    entity: tuple[str | None, ...] = ()
    like: tuple[str | None, ...] = ()
    step: int = 0
    """Added to the table's end to get `valid_to`, where ends are inclusive."""


@dataclass(frozen=True)
class SourceVersion:
    """A version of the source at the last load. `written_to` is the end as written there; None means open."""

    valid_from: int
    written_to: int | None
    is_latest: bool


SourceHistory: TypeAlias = Mapping[tuple[str | None, ...], Sequence[SourceVersion]]
"""The source's versions by business key, written as in `Version.key`."""


def moment_text(moment: int | None) -> str | None:
    """A date and time as ISO text with as many digits as needed. None stays None (open)."""
    if moment is None:
        return None
    seconds, nanos = divmod(moment, _SECOND)
    days, seconds = divmod(seconds, 86_400)
    text = f"{date.fromordinal(days + _EPOCH).isoformat()} {seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    digits = f"{nanos:09d}".rstrip("0")
    return f"{text}.{digits}" if digits else text
