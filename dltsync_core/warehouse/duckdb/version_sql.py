"""The statements with which a DuckDB table shows its history and is mended. Composed from `duckdb_sql` alone.

Moments are compared and carried as nanoseconds since 1970 in HUGEINT (`version_moments`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dltsync_core.duckdb import sql as q
from dltsync_core.errors import WarehouseError
from dltsync_core.history.versions import VersionColumns
from dltsync_core.identity import Target, dotted
from dltsync_core.warehouse.duckdb.version_datetimes import (
    FINEST_TEXT,
    NANOS_PER_STEP,
    TEXT,
    TextForm,
    moment,
    nanos,
    text_form,
)
from dltsync_core.warehouse.duckdb.version_keys import KeySql

OPEN_FROM = 253_370_764_800_000_000_000
"""Nanoseconds of 9999-01-01: an end in the last year of the calendar means open, whatever its exact digits."""

_FLAGS = {"BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT"}


@dataclass(frozen=True)
class VersionTable:
    """A table's history columns with their DuckDB types, and the SQL over them."""

    catalog: str
    target: Target
    columns: VersionColumns
    from_type: str
    to_type: str
    flag_type: str
    plain_keys: frozenset[int] = frozenset()
    """See `KeySql.plain`."""
    to_text: TextForm = FINEST_TEXT
    """How ends are written that are kept as text."""

    @property
    def nanos_per_step(self) -> int:
        """The smallest difference the end column can express."""
        return self.to_text.nanos_per_step if self.to_type == TEXT else NANOS_PER_STEP[self.to_type]

    @property
    def text_columns(self) -> tuple[str, ...]:
        """Columns whose moments are kept as text, the end last."""
        kinds = {self.columns.effective_date: self.from_type, self.columns.end_date: self.to_type}
        return tuple(name for name, kind in kinds.items() if kind == TEXT)

    def text_form(self, column: str) -> str:
        """How such a column writes them: see `version_moments.text_form`."""
        return text_form(self._table, column)

    def open_markers(self) -> str:
        """One row: is the usual end of open versions NULL (true), and its text otherwise. Those marked latest decide."""
        end, flag = q.identifier(self.columns.end_date), self._flag
        return (
            f"SELECT {end} IS NULL, CAST({end} AS VARCHAR) FROM {self._table} "
            f"WHERE {end} IS NULL OR {nanos(end, self.to_type)} >= {OPEN_FROM} "
            f"GROUP BY {end} ORDER BY count(*) FILTER (WHERE {flag}) DESC, count(*) DESC LIMIT 1"
        )

    def steps(self) -> str:
        """How far ends lie before the following start, and how often, most frequent first. Open ends do not count."""
        return (
            f"SELECT d_next - d_to AS d_step, count(*) AS d_times FROM ({self._windowed()}) "
            "WHERE d_next IS NOT NULL AND d_to IS NOT NULL GROUP BY d_step ORDER BY d_times DESC, d_step LIMIT 1"
        )

    def pairs(self) -> str:
        """How many closed versions are followed by another."""
        return f"SELECT count(*) FROM ({self._windowed()}) WHERE d_next IS NOT NULL AND d_to IS NOT NULL"

    def without_start(self) -> str:
        """How many rows have no effective date: they cannot be ordered, so they are not looked at."""
        return q.count_where(self.catalog, self.target, q.is_null(self.columns.effective_date))

    def suspects(self, step: int) -> str:
        """All versions of every key that may break a rule or be another's spelling, those that are alike together, by entity, by
        start: rowid, start, end (`step` added, NULL when open), latest, then as text the keys, their entities, their
        likenesses. A superset is fine: the rules themselves are history's."""
        keys = self.keys
        shown = ", ".join(f"CAST({name} AS VARCHAR)" for name in (*keys.spelt, *keys.entities, *keys.likenesses))
        end = f"d_to + {step}"
        breaks = q.any_of(
            [
                "d_doubtful",
                "d_latest_in_key <> 1",
                f"{end} <= d_from",
                f"d_next IS NOT NULL AND (d_latest OR d_to IS NULL OR {end} <> d_next)",
                "d_next IS NULL AND d_latest <> (d_to IS NULL)",
            ]
        )
        alike = ", ".join(keys.likenesses)
        return (
            f"WITH marked AS (SELECT *, bool_or({breaks}) OVER (PARTITION BY {alike}) AS d_suspect "
            f"FROM ({self._windowed()})) "
            f"SELECT d_row, d_from, {end}, d_latest, {shown} FROM marked WHERE d_suspect "
            f"ORDER BY {alike}, {', '.join(keys.entities)}, d_from, d_row"
        )

    def said_of(self, relation: str, wanted: str, types: Mapping[str, str]) -> str:
        """Of the keys in `wanted` (text columns k0, k1 …) the versions in another relation with these columns: the keys as text,
        start, end as written (NULL when open), latest. `types` are those of the table, in which keys are spelt."""
        spelt = [f"CAST(CAST({q.identifier(key)} AS {types[key]}) AS VARCHAR)" for key in self.columns.business_keys]
        start = nanos(f"CAST({q.identifier(self.columns.effective_date)} AS {self.from_type})", self.from_type)
        end = nanos(f"CAST({q.identifier(self.columns.end_date)} AS {self.to_type})", self.to_type)
        named = ", ".join(f"{text} AS k{number}" for number, text in enumerate(spelt))
        same = q.all_of([f"said.k{number} IS NOT DISTINCT FROM asked.k{number}" for number in range(len(spelt))])
        return (
            f"SELECT said.* FROM (SELECT {named}, {start} AS d_from, "
            f"CASE WHEN {end} < {OPEN_FROM} THEN {end} END AS d_to, {self._flag} AS d_latest "
            f"FROM {relation} AS d_rows WHERE {q.is_not_null(self.columns.effective_date)}) AS said "
            f"SEMI JOIN {wanted} AS asked ON {same} ORDER BY d_from"
        )

    def are_plain_keys(self) -> str:
        """See `KeySql.are_plain`."""
        return self.keys.are_plain(self._table)

    def change(self, changes: str, open_marker: str) -> str:
        """Write ends and flags from a relation `changes` (handle, ends, latest). NULL ends become the table's open marker."""
        end, flag = q.identifier(self.columns.end_date), q.identifier(self.columns.is_latest)
        return (
            f"UPDATE {self._table} AS t SET "
            f"{end} = CASE WHEN c.ends IS NULL THEN {open_marker} ELSE {moment('c.ends', self.to_type, self.to_text)} END, "
            f"{flag} = CAST(c.latest AS {self.flag_type}) "
            f"FROM {q.identifier(changes)} AS c WHERE t.rowid = c.handle"
        )

    @property
    def _table(self) -> str:
        return q.qualified(self.catalog, *self.target)

    @property
    def _flag(self) -> str:
        return f"coalesce(CAST({q.identifier(self.columns.is_latest)} AS BOOLEAN), FALSE)"

    @property
    def keys(self) -> KeySql:
        return KeySql(self.columns, self.plain_keys)

    def _windowed(self) -> str:
        """Each version with the start of the next of its entity, the number of latest ones, and whether other entities are like
        it. Names of ours begin with d_ and replace all of the table's, so that none of them can be taken for ours."""
        start = nanos(q.identifier(self.columns.effective_date), self.from_type)
        end = nanos(q.identifier(self.columns.end_date), self.to_type)
        versions = (
            f"SELECT rowid AS d_row, {self.keys.selected()}, {start} AS d_from, "
            f"CASE WHEN {end} < {OPEN_FROM} THEN {end} END AS d_to, {self._flag} AS d_latest "
            f"FROM {self._table} WHERE {q.is_not_null(self.columns.effective_date)}"
        )
        entity = ", ".join(self.keys.entities)
        return (
            f"SELECT *, lead(d_from) OVER (PARTITION BY {entity} ORDER BY d_from, d_row) AS d_next, "
            f"count(*) FILTER (WHERE d_latest) OVER (PARTITION BY {entity}) AS d_latest_in_key, "
            f"{self.keys.doubtful()} AS d_doubtful FROM ({self.keys.compared(versions)})"
        )


def version_table(catalog: str, target: Target, columns: VersionColumns, types: dict[str, str]) -> VersionTable:
    """The table's SQL. Raises WarehouseError for a column that is missing or of a type in which history cannot be told."""
    start, end, flag = (
        _type_of(types, target, name) for name in (columns.effective_date, columns.end_date, columns.is_latest)
    )
    for key in columns.business_keys:
        _type_of(types, target, key)
    if any(name.casefold() == "rowid" for name in types):
        raise WarehouseError(
            f"{dotted(*target)} has a column named rowid, which hides DuckDB's own: its rows cannot be told apart",
            remedy="add the column to exclude_columns",
        )
    for name, kind in ((columns.effective_date, start), (columns.end_date, end)):
        if kind not in NANOS_PER_STEP and kind != TEXT:
            raise WarehouseError(
                f"{dotted(*target)}: {name} is {kind} in the warehouse; a history is checked by dates and times",
                remedy="name columns of dates and times in effective_date_column and end_date_column",
            )
    if flag not in _FLAGS:
        raise WarehouseError(
            f"{dotted(*target)}: {columns.is_latest} is {flag} in the warehouse; a bit or an integer is expected",
            remedy="name the column that marks the latest version in is_latest_column",
        )
    return VersionTable(catalog, target, columns, start, end, flag)


def _type_of(types: dict[str, str], target: Target, name: str) -> str:
    if name not in types:
        raise WarehouseError(
            f"the warehouse table {dotted(*target)} has no column {name!r}",
            remedy="check the column names of the scd table in the config",
        )
    return types[name]
