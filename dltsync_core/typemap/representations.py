"""Checks the representation that the config chooses for a column; an impossible one is refused with the possible ones."""

from __future__ import annotations

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.config.processing import RepresentationConfig
from dltsync_core.errors import ConfigError
from dltsync_core.typemap.declared_type import shown_type

_SEVEN_DIGITS = 7
"""datetime2 and time leave a choice only with all their digits."""


def representation_for_type(column: ColumnFacts, defaults: RepresentationConfig) -> str | None:
    """The config's choice for all columns of this type; None without one, or when the column leaves no such choice."""
    kind = column.type_name
    if kind not in RepresentationConfig.model_fields:
        return None
    if kind in {"datetime2", "time"} and (column.scale < _SEVEN_DIGITS or column.generated == "row_end"):
        return None
    wanted: str | None = getattr(defaults, kind)
    return wanted


def chosen(column: ColumnFacts, representation: str | None, possible: tuple[str, ...]) -> str | None:
    """The chosen representation, None for the default. Raises ConfigError when the type does not have it."""
    if representation is None or representation in possible:
        return representation
    choices = f"possible here: {', '.join(possible)}" if possible else "this type needs none"
    raise ConfigError(
        f"column {column.name} of type {shown_type(column)} cannot have the representation {representation!r}",
        remedy=f"change its column_representation, or remove {column.name} from it; {choices}",
        column=column.name,
    )
