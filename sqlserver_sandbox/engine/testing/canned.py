"""Canned answers, which a test declares: exact bytes for values the sandbox cannot hold, exact rows of the catalogue for them.

Nothing here is worked out. A statement gets its canned answer only in the database it was declared for and only when its
whole text is the declared one; everything else runs as ever, and is refused as ever.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlserver_sandbox.model import RawColumn, RawResult, SqlError
from sqlserver_sandbox.tsql.catalogue import Database

NOT_ALLOWED = 2812
INVALID = 50100
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
        self, name: str, names: list[str], database: Database, rows: list[tuple[object, ...]]
    ) -> list[tuple[object, ...]]:
        """The rows of a system view with columns `names`, with what was declared for it."""
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


class CannedAnswers:
    """What was declared, by database; shared by all sessions, and not kept over a restart."""

    def __init__(self, *, allowed: bool = False) -> None:
        self.allowed = allowed
        self._by_database: dict[int, Canned] = {}

    def of(self, database_id: int) -> Canned:
        return self._by_database.get(database_id, NOTHING)

    def declare(self, database_id: int, text: str | None) -> int:
        """From now on the database has these answers, or none. Returns how many. Raises 2812 where that is not allowed."""
        if not self.allowed:
            raise SqlError(NOT_ALLOWED, "Could not find stored procedure 'sandbox_canned'.", state=62)
        declared = NOTHING if text is None else parse_canned(text)
        self._by_database[database_id] = declared
        return len(declared.answers)


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
