"""Answers a test has put into a tin: exact bytes for values the sandbox cannot hold, exact rows of the catalogue for them.

Nothing here is worked out. A statement is answered from the tin only in the database it was declared for and only when its
whole text is the declared one; everything else runs as ever, and is refused as ever.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlserver_sandbox.model import Column, Outcome, RawColumn, RawResult, SqlError, SqlType

if TYPE_CHECKING:
    from sqlserver_sandbox.engine.session import DuckDbSession
    from sqlserver_sandbox.engine.sysviews.declaration import View
    from sqlserver_sandbox.tsql.catalogue import Database

NOT_ALLOWED = 2812
INVALID = 50100
COLUMNS = (Column("answers", SqlType("int"), nullable=False),)
_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True)
class CannedAnswer:
    """`statement` is the whole text, blanks apart. With `is_pattern` it is a regular expression that must match all of it."""

    statement: str
    is_pattern: bool
    result: RawResult

    def matches(self, text: str) -> bool:
        if self.is_pattern:
            return re.fullmatch(self.statement, text, re.DOTALL) is not None
        return self.statement == text


@dataclass(frozen=True)
class Canned:
    """What was declared for one database. `columns` changes rows of sys.columns ("schema.table" -> column -> values),
    `rows` adds rows to system views (view -> values by column name)."""

    answers: tuple[CannedAnswer, ...] = ()
    columns: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    rows: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)

    def answer(self, sql: str) -> RawResult | None:
        """The result of a whole batch, None when it was not declared."""
        if not self.answers:
            return None
        text = one_line(sql)
        return next((answer.result for answer in self.answers if answer.matches(text)), None)

    def changed(
        self, name: str, view: View, database: Database, rows: list[tuple[object, ...]]
    ) -> list[tuple[object, ...]]:
        """The rows of a system view, with what was declared for it."""
        names = [column.name for column in view.columns(database)]
        found = [*rows]
        if name == "sys.columns" and self.columns:
            found = [self._column_row(database, names, row) for row in found]
        for values in self.rows.get(name, ()):
            unknown = values.keys() - set(names)
            if unknown:
                raise SqlError(INVALID, f"sandbox_canned: {name} has no column {sorted(unknown)}")
            found.append(tuple(values.get(column) for column in names))
        return found

    def _column_row(self, database: Database, names: list[str], row: tuple[object, ...]) -> tuple[object, ...]:
        by_name = dict(zip(names, row, strict=True))
        table = next(t for t in database.tables if t.object_id == by_name["object_id"])
        changes = self.columns.get(database.full_name(table), {}).get(str(by_name["name"]))
        return row if changes is None else tuple((by_name | dict(changes))[name] for name in names)


NOTHING = Canned()


def one_line(sql: str) -> str:
    """Text with every run of blanks as one, none at the ends."""
    return _BLANKS.sub(" ", sql).strip()


def parse_canned(text: str) -> Canned:
    """What EXEC sandbox_canned was given. Raises SqlError for what it cannot mean."""
    try:
        return _canned(**json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, re.error) as error:
        raise SqlError(INVALID, f"sandbox_canned: {error}") from error


def _canned(*, answers: Sequence[Any] = (), columns: Mapping[str, Any] | None = None, rows: Any = None) -> Canned:
    return Canned(tuple(map(_answer, answers)), columns or {}, rows or {})


def _answer(raw: Mapping[str, Any]) -> CannedAnswer:
    columns = tuple(
        RawColumn(c["name"], bytes.fromhex(c["type"]), c.get("user_type", 0), c.get("flags", 9)) for c in raw["columns"]
    )
    rows = tuple(tuple(bytes.fromhex(value) for value in row) for row in raw["rows"])
    if any(len(row) != len(columns) for row in rows):
        raise ValueError("a row has not as many values as there are columns")
    is_pattern = "pattern" in raw
    statement = raw["pattern"] if is_pattern else one_line(raw["statement"])
    re.compile(statement if is_pattern else "")
    return CannedAnswer(statement, is_pattern, RawResult(columns, rows))


def run(session: DuckDbSession, values: dict[str, Any]) -> tuple[tuple[Column, ...], list[tuple[Any, ...]]]:
    """EXEC sandbox_canned: from now on the current database has this tin, in memory; without an argument, none."""
    if not session.store.allows_canned:
        raise SqlError(NOT_ALLOWED, "Could not find stored procedure 'sandbox_canned'.", state=62)
    given = values["tin"]
    tin = NOTHING if given is None else parse_canned(str(given))
    session.store.canned[session.database_id] = tin
    return COLUMNS, [(len(tin.answers),)]


def answered(session: DuckDbSession, sql: str) -> Iterator[Outcome] | None:
    """The canned answer to a batch; None when there is none for it."""
    found = session.store.canned.get(session.database_id, NOTHING).answer(sql)
    return None if found is None else iter((found,))
