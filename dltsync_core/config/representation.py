"""The form of types that leave a choice, for all tables at once."""

from __future__ import annotations

from typing import Literal

from dltsync_core.config.model import Spec


class RepresentationConfig(Spec):
    """Form of columns whose type has no single exact counterpart, in all tables; `column_representation` of a table wins. A type
    that is left out has its default. When a choice changes, tables with such columns are loaded again."""

    datetime2: Literal["nanoseconds", "microseconds", "text"] | None = None
    """datetime2(7): `nanoseconds` (the default; 1677 to 2262), `microseconds` (all years; a seventh digit other
    than 0 stops the load) or `text` (every value). Fewer digits are always microseconds. This setting does not change ends of
    periods (`text`) and end dates of scd tables (`open_end`), and their effective dates never become text."""
    time: Literal["text", "microseconds"] | None = None
    """time(7): `text` (the default) or `microseconds` (a seventh digit that is not 0 stops the load). Fewer digits are
    always microseconds."""
    datetimeoffset: Literal["text", "utc"] | None = None
    """`text` (the default, preserves the offset) or `utc` (an instant; loses the offset). For the end date of an scd table
    with seven digits `utc` means `utc_open_end`."""
    hierarchyid: Literal["text", "bytes"] | None = None
    """`text` (the default, `/1/2.1/`) or `bytes`, the stored form."""
    geometry: Literal["bytes", "wkb", "text"] | None = None
    """`bytes` (the default, the server's own form), `wkb` or `text`; both lose the SRID."""
    geography: Literal["bytes", "wkb", "text"] | None = None
    """As `geometry`."""
    sql_variant: Literal["text"] | None = None
    """Refused unless `text` is set here, which loses declared length, precision, collation and scale."""
    vector: Literal["text"] | None = None
    """Refused unless `text` is set here, which loses digits."""
