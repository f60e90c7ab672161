"""Changes in the columns of a table since its last commit. Pure: columns in, changes out, in column order."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from dltsync_core.catalog.type_changes import CODE_PAGE, name_of, relation
from dltsync_core.identity import TableName

DriftKind = Literal[
    "added",
    "dropped",
    "widened",
    "narrowed",
    "retyped",
    "renamed",
    "incompatible",
    "collation changed",
    "reordered",
    "replaced",
]


@dataclass(frozen=True)
class DeclaredColumn:
    """One column that is loaded. `form` is its Arrow type and `representation` how it is selected, both as text.

    `sql_type` is the declared type, empty in manifests of an older dltsync: then only `form` is compared.
    """

    name: str
    sql_type: str
    nullable: bool
    collation: str | None
    form: str
    representation: str = ""
    column_id: int = 0
    """The server never reuses a number within a table. 0: unknown."""

    @property
    def shown(self) -> str:
        """As CREATE TABLE writes it."""
        return f"{self.sql_type or self.form} {'NULL' if self.nullable else 'NOT NULL'}"


@dataclass(frozen=True)
class ColumnChange:
    """One change. `rereads`: values of unchanged rows may differ from before, so every unit is read again."""

    table: str
    column: str
    kind: DriftKind
    before: str
    after: str
    sentence: str
    rereads: bool = False

    @property
    def changes_schema(self) -> bool:
        """False for another order of the same columns, and for a column that was dropped and added again unchanged."""
        return self.kind not in {"reordered", "replaced"}


def drift_of(
    table: TableName, before: Sequence[DeclaredColumn], now: Sequence[DeclaredColumn], *, left_out: Collection[str] = ()
) -> tuple[ColumnChange, ...]:
    """The changes of the columns. `left_out` are columns that the table still has and the config excludes: their absence is a
    decision and no drift."""
    earlier = {column.name.casefold(): column for column in before}
    present = {column.name.casefold(): column for column in now}
    unwanted = {name.casefold() for name in left_out}
    renamed = _renamed(before, now, unwanted)
    changes: list[ColumnChange] = []
    for column in before:
        name = column.name.casefold()
        if name in renamed:
            changes.append(_rename(table, column, renamed[name]))
        elif name in present:
            changes.extend(_changes(table, column, present[name]))
        elif name not in unwanted:
            retained = "the warehouse retains it, with NULL in rows that are loaded from now on"
            sentence = f"{column.name} ({column.shown}) is gone at the source: {retained}"
            changes.append(ColumnChange(str(table), column.name, "dropped", column.shown, "", sentence))
    taken = {column.name.casefold() for column in renamed.values()}
    for column in now:
        if column.name.casefold() not in earlier and column.name.casefold() not in taken:
            sentence = f"{column.name} ({column.shown}) is new: every row is read again to have its values"
            changes.append(ColumnChange(str(table), column.name, "added", "", column.shown, sentence, rereads=True))
    changes.extend(_reordered(table, before, now) or _replaced(table, before, now))
    return tuple(changes)


def same_form(before: Sequence[DeclaredColumn], now: Sequence[DeclaredColumn]) -> bool:
    """Whether the lake's files have the same Arrow types, whatever the order of columns and their nullability."""
    return {c.name: c.form for c in before} == {c.name: c.form for c in now}


def representation_changed(before: Sequence[DeclaredColumn], now: Sequence[DeclaredColumn]) -> bool:
    """Whether the config gives a column another form although the source declares it as before."""
    present = {column.name.casefold(): column for column in now}
    for column in before:
        other = present.get(column.name.casefold())
        same = other is not None and other.sql_type == column.sql_type
        if same and other is not None and (other.form, other.representation) != (column.form, column.representation):
            return True
    return False


def _renamed(
    before: Sequence[DeclaredColumn], now: Sequence[DeclaredColumn], unwanted: Collection[str]
) -> dict[str, DeclaredColumn]:
    """Old names (case folded) with the new column at the same position and of the same declaration."""
    earlier = {column.name.casefold() for column in before}
    present = {column.name.casefold() for column in now}
    found = {}
    for old, new in zip(before, now, strict=False):
        vanished = old.name.casefold() not in present and old.name.casefold() not in unwanted
        alike = (old.shown, old.collation) == (new.shown, new.collation)
        if vanished and new.name.casefold() not in earlier and alike:
            found[old.name.casefold()] = new
    return found


def _rename(table: TableName, old: DeclaredColumn, new: DeclaredColumn) -> ColumnChange:
    sentence = (
        f"{old.name} is gone and {new.name} is at its position with the same type: probably renamed; the warehouse retains "
        f"{old.name}, with NULL in rows that are loaded from now on, and every row is read again for {new.name}"
    )
    return ColumnChange(str(table), old.name, "renamed", old.name, new.name, sentence, rereads=True)


def _changes(table: TableName, old: DeclaredColumn, new: DeclaredColumn) -> Iterator[ColumnChange]:
    if old.name != new.name:
        sentence = f"{old.name} is written {new.name} now"
        yield ColumnChange(str(table), old.name, "renamed", old.name, new.name, sentence, rereads=True)
    yield from _retyped(table, old, new)
    if old.nullable != new.nullable:
        before, after = ("NULL", "NOT NULL") if old.nullable else ("NOT NULL", "NULL")
        sentence = f"{new.name} allowed no NULL and does now" if new.nullable else f"{new.name} allows NULL no longer"
        yield ColumnChange(str(table), new.name, "widened" if new.nullable else "narrowed", before, after, sentence)
    if old.collation and new.collation and old.collation.casefold() != new.collation.casefold():
        converted = bool(CODE_PAGE & {name_of(old.sql_type), name_of(new.sql_type)})
        sentence = f"{new.name} had the collation {old.collation}, now {new.collation}"
        sentence += ": its bytes were converted, so every row is read again" if converted else ""
        yield ColumnChange(
            str(table), new.name, "collation changed", old.collation, new.collation, sentence, rereads=converted
        )


def _retyped(table: TableName, old: DeclaredColumn, new: DeclaredColumn) -> Iterator[ColumnChange]:
    if not old.sql_type:
        if old.form != new.form:
            sentence = f"{new.name} was stored as {old.form}, now as {new.form} ({new.sql_type})"
            yield ColumnChange(str(table), new.name, "incompatible", old.form, new.form, sentence, rereads=True)
        return
    if old.sql_type == new.sql_type:
        return
    moment = bool({"server_text", "offset_text"} & {old.representation, new.representation})
    how = relation(old.sql_type, new.sql_type, as_text=moment)
    was = f"{new.name} was {old.sql_type}, is {new.sql_type}"
    if _family(old.form) != _family(new.form) or (how is None and _family(new.form) not in _UNCONVERTED):
        sentence = f"{was}: no type of the warehouse holds both exactly"
        yield ColumnChange(str(table), new.name, "incompatible", old.sql_type, new.sql_type, sentence, rereads=True)
        return
    if how is None:
        sentence = f"{was}: the warehouse stores both as {_UNCONVERTED[_family(new.form)]}, and every row is read again"
        yield ColumnChange(str(table), new.name, "retyped", old.sql_type, new.sql_type, sentence, rereads=True)
        return
    rereads = how.rereads or "as_bytes" in (old.representation, new.representation)
    kind: DriftKind = "narrowed" if how.shrinks else "widened"
    sentence = f"{was}: {kind}"
    sentence += "; the warehouse retains the wider type" if how.shrinks else ""
    sentence += "; stored values may have changed, so every row is read again" if rereads else ""
    yield ColumnChange(str(table), new.name, kind, old.sql_type, new.sql_type, sentence, rereads=rereads)


def _reordered(table: TableName, before: Sequence[DeclaredColumn], now: Sequence[DeclaredColumn]) -> list[ColumnChange]:
    earlier, present = {c.name.casefold() for c in before}, {c.name.casefold() for c in now}
    old = [c.name for c in before if c.name.casefold() in present]
    new = [c.name for c in now if c.name.casefold() in earlier]
    for was, is_now in zip(old, new, strict=True):
        if was.casefold() != is_now.casefold():
            recreated = bool(_with_other_ids(before, now))
            sentence = "the columns are in another order; nothing depends on it"
            if recreated:
                sentence = "the columns are in another order: some, or the table, were created again, so every row is read again"
            order = (", ".join(old), ", ".join(new))
            return [ColumnChange(str(table), is_now, "reordered", *order, sentence, rereads=recreated)]
    return []


def _replaced(table: TableName, before: Sequence[DeclaredColumn], now: Sequence[DeclaredColumn]) -> list[ColumnChange]:
    """Columns that were dropped and added again, which neither column names nor row versions show."""
    found = []
    for column in _with_other_ids(before, now):
        sentence = f"{column.name} was dropped and added again, or the table was created again: every row is read again"
        found.append(
            ColumnChange(str(table), column.name, "replaced", column.shown, column.shown, sentence, rereads=True)
        )
    return found


def _with_other_ids(before: Sequence[DeclaredColumn], now: Sequence[DeclaredColumn]) -> list[DeclaredColumn]:
    earlier = {column.name.casefold(): column.column_id for column in before}
    return [c for c in now if c.column_id and earlier.get(c.name.casefold(), 0) not in {0, c.column_id}]


_UNCONVERTED = {"string": "text", "binary": "bytes"}
"""Families of Arrow types that store a value as the source writes it, whatever its type there."""


def _family(form: str) -> str:
    """Arrow types that one warehouse column and one reader accept together."""
    if form.startswith(("int", "decimal128")):
        return "exact number"
    if form.startswith(("timestamp", "date32")):
        return "instant" if "tz=" in form else "moment"
    return {"float": "double", "large_string": "string", "large_binary": "binary"}.get(form, form)
