"""The SQL of a destination of dlt, as far as a load and its validation need it. Names are quoted by dlt's own functions.

Statements are standard SQL (`StandardSql`); what only PostgreSQL has is in `PostgresSql`: locks, changes of a column's type,
binary literals.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dltsync_core.duckdb import sql as q
from dltsync_core.identity import Target

_STANDARD_TYPES = {"DOUBLE": "DOUBLE PRECISION", "TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE", "BLOB": "BINARY"}


@dataclass(frozen=True)
class StandardSql:
    """Statements for any destination with transactions. `escape_identifier` and `escape_literal` are dlt's for it."""

    escape_identifier: Callable[[str], str]
    escape_literal: Callable[[str], str]

    has_locks = False
    """Whether locks that end with a transaction or a connection can be taken."""
    creates_by_type_name = False
    """Whether `type_name` is known to be right there; otherwise tables are created as dlt created theirs."""

    # -- names, literals, conditions (`duckdb.partition_scope.Dialect`) ---------------------------------------------------

    def identifier(self, name: str) -> str:
        return self.escape_identifier(name)

    def identifiers(self, names: Sequence[str]) -> str:
        return ", ".join(self.identifier(name) for name in names)

    def table(self, target: Target) -> str:
        """Schema and table; the database is the connection's."""
        return ".".join(self.identifier(part) for part in target)

    def text(self, value: str) -> str:
        return self.escape_literal(value)

    def typed(self, value: str, type_name: str) -> str:
        """A literal of exactly one type. Types have DuckDB's names."""
        return f"CAST({self.escape_literal(value)} AS {self.type_name(type_name)})"

    def blob(self, value: bytes) -> str:
        raise NotImplementedError(f"a binary literal of {len(value)} bytes: each destination writes its own")

    def nanoseconds(self, since_1970: int) -> str:
        raise NotImplementedError("columns of nanoseconds are loaded as microseconds (`warehouse.dlt.types`)")

    def type_name(self, duckdb_name: str) -> str:
        """The destination's name of a type of DuckDB's."""
        return _STANDARD_TYPES.get(duckdb_name, duckdb_name)

    # -- definitions --------------------------------------------------------------------------------------------------

    def create_table(self, target: Target, columns: Sequence[tuple[str, str]]) -> str:
        """From names, and types of DuckDB's. Every column admits NULL."""
        described = ", ".join(f"{self.identifier(name)} {self.type_name(kind)}" for name, kind in columns)
        return f"CREATE TABLE {self.table(target)} ({described})"

    def create_like(self, target: Target, other: Target, columns: Sequence[str]) -> str:
        """An empty table with these columns of another one."""
        chosen = f"SELECT {self.identifiers(columns)} FROM {self.table(other)} WHERE 1 = 0"
        return f"CREATE TABLE {self.table(target)} AS {chosen}"

    def drop_table(self, target: Target) -> str:
        return f"DROP TABLE IF EXISTS {self.table(target)}"

    def add_column(self, target: Target, column: str, kind: str) -> str:
        return f"ALTER TABLE {self.table(target)} ADD COLUMN {self.identifier(column)} {self.type_name(kind)}"

    def rename_column(self, target: Target, column: str, name: str) -> str:
        return f"ALTER TABLE {self.table(target)} RENAME COLUMN {self.identifier(column)} TO {self.identifier(name)}"

    # -- rows ---------------------------------------------------------------------------------------------------------

    def delete_where(self, target: Target, condition: str) -> str:
        return f"DELETE FROM {self.table(target)} WHERE {condition}"

    def delete_keys_of(self, target: Target, other: Target, keys: Sequence[str]) -> str:
        """Delete the rows whose key is in the other table. No part of a key is NULL."""
        held = self.table(target)
        same = " AND ".join(f"{held}.{self.identifier(key)} = given.{self.identifier(key)}" for key in keys)
        return f"DELETE FROM {held} WHERE EXISTS (SELECT 1 FROM {self.table(other)} AS given WHERE {same})"

    def insert_from(self, target: Target, other: Target, columns: Sequence[str]) -> str:
        named = self.identifiers(columns)
        return f"INSERT INTO {self.table(target)} ({named}) SELECT {named} FROM {self.table(other)}"

    def insert_values(self, target: Target, columns: Sequence[str]) -> str:
        """One row, each value a parameter."""
        places = ", ".join("%s" for _ in columns)
        return f"INSERT INTO {self.table(target)} ({self.identifiers(columns)}) VALUES ({places})"

    def select_equal(self, target: Target, columns: Sequence[str], equal: Sequence[str]) -> str:
        """Rows in which each column of `equal` has its parameter's value."""
        return f"SELECT {self.identifiers(columns)} FROM {self.table(target)} WHERE {self._all_equal(equal)}"

    def delete_equal(self, target: Target, equal: Sequence[str]) -> str:
        return f"DELETE FROM {self.table(target)} WHERE {self._all_equal(equal)}"

    def update_equal(self, target: Target, columns: Sequence[str], equal: Sequence[str]) -> str:
        """Give `columns` new values, each a parameter, in the rows in which each column of `equal` has its parameter's value."""
        values = ", ".join(f"{self.identifier(column)} = %s" for column in columns)
        return f"UPDATE {self.table(target)} SET {values} WHERE {self._all_equal(equal)}"

    def read(self, target: Target, columns: Sequence[str], condition: str) -> str:
        return f"SELECT {self.identifiers(columns)} FROM {self.table(target)} WHERE {condition}"

    def count_where(self, target: Target, condition: str) -> str:
        return f"SELECT count(*) FROM {self.table(target)} WHERE {condition}"

    def _all_equal(self, columns: Sequence[str]) -> str:
        return " AND ".join(f"{self.identifier(column)} = %s" for column in columns)

    # -- figures ------------------------------------------------------------------------------------------------------

    def count_nulls(self, column: str) -> str:
        return f"count(*) - count({self.identifier(column)})"

    def total(self, column: str, *, whole: bool) -> str:
        """The exact sum as text; `whole`: of a boolean, true counting as 1."""
        operand = self.identifier(column)
        if whole:
            operand = q.first_met([(operand, 1), (f"NOT {operand}", 0)])
        return f"CAST(sum({operand}) AS {self.type_name('VARCHAR')})"

    def least(self, column: str, *, is_text: bool) -> str:
        return f"min({self._ordered(column, is_text=is_text)})"

    def greatest(self, column: str, *, is_text: bool) -> str:
        return f"max({self._ordered(column, is_text=is_text)})"

    def _ordered(self, column: str, *, is_text: bool) -> str:
        """The column as its least value is to be found: text by its code points."""
        del is_text
        return self.identifier(column)


@dataclass(frozen=True)
class PostgresSql(StandardSql):
    """PostgreSQL's own."""

    has_locks = True
    creates_by_type_name = True

    def text(self, value: str) -> str:
        """Compared by its bytes, whatever the database's collation: so the lake's texts of moments sort as the moments do."""
        return f'{self.escape_literal(value)} COLLATE "C"'

    def blob(self, value: bytes) -> str:
        return f"decode('{value.hex()}', 'hex')"

    def type_name(self, duckdb_name: str) -> str:
        return {"BLOB": "BYTEA", "TINYINT": "SMALLINT"}.get(duckdb_name) or super().type_name(duckdb_name)

    def _ordered(self, column: str, *, is_text: bool) -> str:
        return f'{self.identifier(column)} COLLATE "C"' if is_text else self.identifier(column)

    def change_type(self, target: Target, column: str, kind: str) -> str:
        return f"ALTER TABLE {self.table(target)} ALTER COLUMN {self.identifier(column)} TYPE {self.type_name(kind)}"

    def allow_null(self, target: Target, column: str) -> str:
        return f"ALTER TABLE {self.table(target)} ALTER COLUMN {self.identifier(column)} DROP NOT NULL"

    def create_index(self, target: Target, column: str) -> str:
        return f"CREATE INDEX ON {self.table(target)} ({self.identifier(column)})"

    def settings(self, lock_timeout_seconds: float) -> list[str]:
        """What a connection begins with."""
        milliseconds = max(1, min(int(lock_timeout_seconds * 1000), 2**31 - 1))
        return [f"SET lock_timeout = {milliseconds}", "SET TimeZone = 'UTC'"]

    def lock_until_commit(self, *names: str) -> str:
        return f"SELECT pg_advisory_xact_lock({_lock_number(*names)})"

    def lock_until_closed(self, *names: str) -> str:
        return f"SELECT pg_advisory_lock({_lock_number(*names)})"

    def lock_if_free(self, *names: str) -> str:
        """One row, true when the lock was free and is ours now, until the connection is closed."""
        return f"SELECT pg_try_advisory_lock({_lock_number(*names)})"

    def declare_cursor(self, name: str, query: str) -> str:
        return f"DECLARE {name} NO SCROLL CURSOR FOR {query}"

    def fetch(self, name: str, rows: int) -> str:
        return f"FETCH FORWARD {rows} FROM {name}"


def _lock_number(*names: str) -> int:
    """PostgreSQL's advisory locks have numbers of 64 bits. Two names with one number would only wait for each other."""
    digest = hashlib.sha256("\0".join(("dltsync", *names)).encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
