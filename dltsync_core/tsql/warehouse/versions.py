"""The history of an scd table in the warehouse: the versions that may break a rule, and the ends and flags that repair them.

Keys are grouped by the server, under the collation of the table's own columns, which is the source's. Moments are compared in
their own types and leave as the server's own text. Everything is set-based; `history.repair` decides in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.identity import TableName
from dltsync_core.tsql.fragments import Identifier, Literal, Sql, Statement, TypeName, inlined, join, sql, table
from dltsync_core.tsql.values import as_text, from_text
from dltsync_core.tsql.warehouse.tables import TargetColumn, create_table
from dltsync_core.typemap.declared_type import declared_type

LAST_YEAR = "9999-01-01"
"""An end in the last year of the calendar means open, whatever its exact digits."""
_WITHOUT_LAST_YEAR = "smalldatetime"
NEAR_DAYS = 2
"""Ends that are further from the next start than this are compared as gaps, whatever the table's convention is."""


@dataclass(frozen=True)
class HistoryTable:
    """A table with its history columns."""

    name: TableName
    keys: tuple[ColumnFacts, ...]
    start: ColumnFacts
    end: ColumnFacts
    flag: ColumnFacts


def open_marker(history: HistoryTable) -> Statement:
    """At most one row `marker`: the usual end of open versions as text, NULL for NULL. Those marked latest decide."""
    end = Identifier(history.end.name)
    return sql(
        "SELECT TOP (1) {text} AS marker FROM {table} WHERE {open} GROUP BY {end} "
        "ORDER BY SUM({latest}) DESC, COUNT_BIG(*) DESC;",
        text=as_text(history.end),
        table=table(history.name),
        open=_is_open(history),
        end=end,
        latest=_latest(history),
    ).render()


def steps(history: HistoryTable) -> Statement:
    """At most one row: `nanoseconds` that ends most often lie before the following start, within days, `times` how often, and
    `pairs`, how many closed versions have a successor."""
    return sql(
        "WITH v AS (\n{versions}\n), w AS (\n{windowed}\n)\n"
        "SELECT TOP (1) d.nanoseconds, COUNT_BIG(*) AS times, MAX(d.pairs) AS pairs\nFROM (\n"
        "  SELECT CASE WHEN DATEDIFF(day, w.d_to, w.d_next) BETWEEN -{near} AND {near} "
        "THEN DATEDIFF_BIG(nanosecond, w.d_to, w.d_next) END AS nanoseconds, COUNT_BIG(*) OVER () AS pairs\n"
        "  FROM w WHERE w.d_next IS NOT NULL AND w.d_to IS NOT NULL\n) AS d\n"
        "GROUP BY d.nanoseconds ORDER BY COUNT_BIG(*) DESC, d.nanoseconds;",
        versions=_versions(history),
        windowed=_windowed(history),
        near=Literal(NEAR_DAYS),
    ).render()


def without_start(history: HistoryTable) -> Statement:
    """One number: the rows without an effective date. They cannot be ordered, so they are not looked at."""
    return sql(
        "SELECT COUNT_BIG(*) AS n FROM {table} WHERE {start} IS NULL;",
        table=table(history.name),
        start=Identifier(history.start.name),
    ).render()


def suspects(history: HistoryTable, step: int) -> Statement:
    """All versions of every key that may break a rule, by entity and start: `entity` (a number for each key), `k0`, `k1` … , the
    keys as text, `valid_from`, `valid_to` (NULL when open) as text, `written_to` as it is written, `is_latest`. `step` is in
    nanoseconds. A superset is fine: the rules themselves are `history.integrity`'s."""
    keys = [Identifier(f"d_key{n}") for n in range(len(history.keys))]
    fits = sql(
        "w.d_to <= w.d_next AND DATEDIFF(day, w.d_to, w.d_next) BETWEEN -{near} AND {near} AND "
        "CASE WHEN DATEDIFF(day, w.d_to, w.d_next) BETWEEN -{near} AND {near} "
        "THEN DATEDIFF_BIG(nanosecond, w.d_to, w.d_next) END = {step}",
        near=Literal(NEAR_DAYS),
        step=Literal(step),
    )
    ends_too_early = sql("w.d_to <= w.d_from")
    return sql(
        "WITH v AS (\n{versions}\n), w AS (\n{windowed}\n), m AS (\n"
        "  SELECT w.*, MAX(CASE WHEN w.d_latest_in_key <> 1 OR {early}\n"
        "    OR (w.d_next IS NOT NULL AND (w.d_latest = 1 OR w.d_to IS NULL))\n"
        "    OR (w.d_next IS NOT NULL AND NOT ({fits}))\n"
        "    OR (w.d_next IS NULL AND w.d_latest = 1 AND w.d_to IS NOT NULL)\n"
        "    OR (w.d_next IS NULL AND w.d_latest = 0 AND w.d_to IS NULL)\n"
        "    THEN 1 ELSE 0 END) OVER (PARTITION BY {keys}) AS d_suspect,\n"
        "    MIN(w.d_row) OVER (PARTITION BY {keys}) AS d_entity\n  FROM w\n)\n"
        "SELECT m.d_entity AS entity, {texts},\n"
        "  {start} AS valid_from, {end} AS valid_to, {written} AS written_to, m.d_latest AS is_latest\n"
        "FROM m WHERE m.d_suspect = 1\nORDER BY m.d_entity, m.d_from;",
        versions=_versions(history),
        windowed=_windowed(history),
        early=ends_too_early,
        fits=fits,
        keys=join(", ", keys),
        texts=join(
            ", ",
            [
                sql("{text} AS {alias}", text=as_text(key, Identifier(f"d_key{n}")), alias=Identifier(f"k{n}"))
                for n, key in enumerate(history.keys)
            ],
        ),
        start=as_text(history.start, Identifier("d_from")),
        end=as_text(history.end, Identifier("d_to")),
        written=as_text(history.end, Identifier("d_written")),
    ).render()


@dataclass(frozen=True)
class ChangedVersion:
    """A version that is changed, as text: its keys, its start, its end and flag before, and both after (`new_end` None: NULL)."""

    keys: tuple[str | None, ...]
    start: str
    old_end: str | None
    old_latest: bool
    new_end: str | None
    new_latest: bool


def create_changes(history: HistoryTable, name: TableName) -> Statement:
    """A table for changes, with the types of the history's own columns."""
    typed = [
        *((f"k{n}", key) for n, key in enumerate(history.keys)),
        ("valid_from", history.start),
        ("old_end", history.end),
        ("new_end", history.end),
    ]
    columns = [TargetColumn(alias, declared_type(column), True, column.collation) for alias, column in typed]
    return create_table(name, [*columns, *(TargetColumn(c, "bit", False) for c in ("old_latest", "new_latest"))])


def insert_changes(history: HistoryTable, name: TableName, changes: Sequence[ChangedVersion]) -> Statement:
    """Some changes into that table; at most 1,000, SQL Server's limit for a list of rows (10738)."""
    rows = [
        sql(
            "({keys}, {start}, {old_end}, {new_end}, {old_latest}, {new_latest})",
            keys=join(", ", [_value(key, text) for key, text in zip(history.keys, change.keys, strict=True)]),
            start=_value(history.start, change.start),
            old_end=_value(history.end, change.old_end),
            new_end=_value(history.end, change.new_end),
            old_latest=Literal(int(change.old_latest)),
            new_latest=Literal(int(change.new_latest)),
        )
        for change in changes
    ]
    names = [
        *(f"k{n}" for n in range(len(history.keys))),
        "valid_from",
        "old_end",
        "new_end",
        "old_latest",
        "new_latest",
    ]
    return sql(
        "INSERT INTO {table} ({names}) VALUES\n{rows};",
        table=table(name),
        names=join(", ", [Identifier(each) for each in names]),
        rows=join(",\n", rows),
    ).render()


def apply_changes(history: HistoryTable, name: TableName, count: int) -> Sql:
    """Inside a transaction: the ends and flags of that many versions. Two statements, those that are latest no longer first: an
    index may allow one latest version per key. Fails when another writer has changed one of them since."""
    same = join(
        " AND ",
        [
            *(_same(key, f"k{n}") for n, key in enumerate(history.keys)),
            sql("t.{start} = c.valid_from", start=Identifier(history.start.name)),
        ],
    )
    unchanged = sql(
        "(t.{end} = c.old_end OR (t.{end} IS NULL AND c.old_end IS NULL)) AND {latest} = c.old_latest",
        end=Identifier(history.end.name),
        latest=_latest(history, "t"),
    )
    update = [
        sql(
            "UPDATE t SET {end} = c.new_end, {flag} = c.new_latest\nFROM {table} AS t JOIN {changes} AS c ON {same}\n"
            "WHERE c.new_latest = {latest} AND {unchanged};\nSET @rows = @rows + @@ROWCOUNT;\n",
            end=Identifier(history.end.name),
            flag=Identifier(history.flag.name),
            table=table(history.name),
            changes=table(name),
            same=same,
            latest=Literal(latest),
            unchanged=unchanged,
        )
        for latest in (0, 1)
    ]
    return sql(
        "SET @rows = 0;\n{updates}IF @rows <> {count} THROW 51007, N'dltsync: the history was changed meanwhile', 1;\n",
        updates=join("", update),
        count=Literal(count),
    )


def _value(column: ColumnFacts, text: str | None) -> Sql:
    return sql("NULL") if text is None else inlined(from_text(column, text))


def _same(key: ColumnFacts, alias: str) -> Sql:
    """Equal to the last byte: other spellings of a key are rows of their own."""
    names = {"name": Identifier(key.name), "alias": Identifier(alias)}
    both_null = sql("(t.{name} IS NULL AND c.{alias} IS NULL)", **names)
    if key.type_name not in {"nchar", "nvarchar"}:
        return sql("(t.{name} = c.{alias} OR {null})", null=both_null, **names)
    return sql(
        "((t.{name} = c.{alias} AND CAST(t.{name} AS {kind}) = CAST(c.{alias} AS {kind})) OR {null})",
        null=both_null,
        kind=_bytes_of(key),
        **names,
    )


def _versions(history: HistoryTable) -> Sql:
    """Each version with an effective date. Names begin with d_, so that none of the table's can be taken for them."""
    keys = [
        sql("{key} AS {alias}", key=Identifier(key.name), alias=Identifier(f"d_key{n}"))
        for n, key in enumerate(history.keys)
    ]
    end = Identifier(history.end.name)
    return sql(
        "  SELECT {keys}, {start} AS d_from, {end} AS d_written, CASE WHEN NOT ({open}) THEN {end} END AS d_to, "
        "{latest} AS d_latest\n  FROM {table} WHERE {start} IS NOT NULL",
        keys=join(", ", keys),
        start=Identifier(history.start.name),
        end=end,
        open=_is_open(history),
        latest=_latest(history),
        table=table(history.name),
    )


def _windowed(history: HistoryTable) -> Sql:
    keys = join(", ", [Identifier(f"d_key{n}") for n in range(len(history.keys))])
    # A number for each row that no collation has a say in: what comes first does not matter.
    order = join(", ", [*(_ordered(key, f"d_key{n}") for n, key in enumerate(history.keys)), sql("v.d_from")])
    return sql(
        "  SELECT v.*, ROW_NUMBER() OVER (ORDER BY {order}) AS d_row,\n"
        "    LEAD(v.d_from) OVER (PARTITION BY {keys} ORDER BY v.d_from) AS d_next,\n"
        "    SUM(v.d_latest) OVER (PARTITION BY {keys}) AS d_latest_in_key\n  FROM v",
        keys=keys,
        order=order,
    )


def _ordered(key: ColumnFacts, alias: str) -> Sql:
    if key.type_name in {"nchar", "nvarchar"}:
        return sql("CAST(v.{alias} AS {kind})", alias=Identifier(alias), kind=_bytes_of(key))
    return sql("v.{alias}", alias=Identifier(alias))


def _bytes_of(key: ColumnFacts) -> TypeName:
    return TypeName("varbinary(max)") if key.max_length == -1 else TypeName("varbinary(8000)")


def _is_open(history: HistoryTable) -> Sql:
    end = Identifier(history.end.name)
    if history.end.type_name == _WITHOUT_LAST_YEAR:
        return sql("{end} IS NULL", end=end)
    text = f"{LAST_YEAR} 00:00:00+00:00" if history.end.type_name == "datetimeoffset" else LAST_YEAR
    return sql("({end} IS NULL OR {end} >= {last})", end=end, last=inlined(from_text(history.end, text)))


def _latest(history: HistoryTable, alias: str | None = None) -> Sql:
    flag = Identifier(history.flag.name)
    if alias is None:
        return sql("CASE WHEN {flag} <> 0 THEN 1 ELSE 0 END", flag=flag)
    return sql("CASE WHEN t.{flag} <> 0 THEN 1 ELSE 0 END", flag=flag)
