"""How the types that leave a choice are kept, in all tables at once."""

from __future__ import annotations

from typing import Literal

from dltsync_core.config.model import Spec


class RepresentationConfig(Spec):
    """How columns are kept whose type has no single exact counterpart, in all tables; `column_representation` of a table wins.
    A type left out here keeps its own default. A choice that is changed loads the tables anew that have such columns."""

    datetime2: Literal["nanoseconds", "microseconds", "text"] | None = None
    """datetime2(7): `nanoseconds` (the type's default; 1677 to 2262), `microseconds` (all years; a seventh digit other
    than 0 stops the load) or `text` (everything). Fewer digits are always microseconds. Ends of periods stay text, end dates
    of scd tables stay `open_end`, and their effective dates never become text."""
    time: Literal["text", "microseconds"] | None = None
    """time(7): `text` (the type's default) or `microseconds` (a seventh digit that is not 0 stops the load). Fewer digits are
    always microseconds."""
    datetimeoffset: Literal["text", "utc"] | None = None
    """`text` (the type's default, keeps the offset) or `utc` (an instant; the offset is lost, by your decision). For the
    end date of an scd table with seven digits `utc` means `utc_open_end`."""
    hierarchyid: Literal["text", "bytes"] | None = None
    """`text` (the type's default, `/1/2.1/`) or `bytes`, the stored form."""
    geometry: Literal["bytes", "wkb", "text"] | None = None
    """`bytes` (the type's default, the server's own form), `wkb` or `text`; both lose the SRID."""
    geography: Literal["bytes", "wkb", "text"] | None = None
    """As geometry."""
    sql_variant: Literal["text"] | None = None
    """Refused unless you accept `text`, which loses declared length, precision, collation and scale."""
    vector: Literal["text"] | None = None
    """Refused unless you accept `text`, which loses digits."""
