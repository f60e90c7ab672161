"""Finds the table of a configured name, and explains a name without one. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dltsync_core.errors import CatalogError, TableNotFound
from dltsync_core.identity import TableName

_OTHER_THINGS = {"V": "a view", "SN": "a synonym"}


@dataclass(frozen=True)
class ObjectFacts:
    """An object of the database that a config may name as a table. `type` is U (table), V (view) or SN (synonym)."""

    name: TableName
    object_id: int
    type: str


def resolve_name(wanted: TableName, objects: Sequence[ObjectFacts], database: str) -> ObjectFacts:
    """The table of exactly that name, else the only one that differs in case alone.

    Raises TableNotFound with the nearest name, CatalogError for a view or synonym and for a name that is ambiguous.
    """
    exact = [o for o in objects if o.name == wanted]
    same = exact or [o for o in objects if o.name.folded == wanted.folded]
    if not same:
        raise _not_found(wanted, (o.name for o in objects if o.type == "U"), database)
    if len(same) > 1:
        candidates = ", ".join(str(o.name) for o in same)
        raise CatalogError(
            f"{wanted} could be any of {candidates} in database {database}", remedy="write the name in its exact case"
        )
    found = same[0]
    if found.type != "U":
        raise CatalogError(
            f"{found.name} is {_OTHER_THINGS.get(found.type, 'not a table')} in database {database}",
            remedy="name the table below it: only tables have the keys and partitions dltsync relies on",
            table=str(found.name),
        )
    return found


def _not_found(wanted: TableName, tables: Iterable[TableName], database: str) -> TableNotFound:
    by_folded = {str(t).casefold(): t for t in tables}
    near = difflib.get_close_matches(str(wanted).casefold(), by_folded, n=1, cutoff=0.6)
    same_table = [t for t in by_folded.values() if t.table.casefold() == wanted.table.casefold()]
    hint = same_table[0] if same_table else by_folded[near[0]] if near else None
    advice = f"did you mean {hint}? Otherwise check" if hint else "check"
    return TableNotFound(
        f"table {wanted} is not found in database {database}, or this login is not permitted to see it",
        remedy=f"{advice} schema_name, table_name and that the login has SELECT on it",
        table=str(wanted),
        nearest=str(hint) if hint else None,
    )
