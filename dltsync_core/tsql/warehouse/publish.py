"""The batch that makes a load visible: one transaction, sent as one text, COMMIT included.

One text, because a client that stalls between two statements would keep every reader of the target waiting. No parameters: DDL
takes none, and a batch with many units would exceed their number. Partition numbers are looked up inside the transaction, by
boundary: numbers change when a neighbour is split or merged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.identity import TableName
from dltsync_core.ranges import Boundary, PartitionRange
from dltsync_core.tsql.fragments import (
    Composable,
    Identifier,
    Literal,
    Sql,
    Statement,
    TypeName,
    inlined,
    join,
    sql,
    table,
)
from dltsync_core.tsql.values import from_text
from dltsync_core.typemap.declared_type import declared_type

_CHARACTERS = frozenset({"char", "varchar", "nchar", "nvarchar"})
_LOCAL_TEXT_TYPES = frozenset({"datetime", "smalldatetime"})
_NOTHING = Sql(())


@dataclass(frozen=True)
class PartitionSpan:
    """The partitions of a table that make up one range of values: several where the source merged a boundary that the target
    still has. `count` is how many they were when the load was prepared."""

    function: str
    column: ColumnFacts
    range: PartitionRange
    count: int = 1


@dataclass(frozen=True)
class RowCopy:
    """Rows to be copied by INSERT … SELECT: the names of the columns, how many rows it will be, the condition for them (None:
    all), and whether one of the columns is an identity of the target."""

    staging: TableName
    columns: tuple[str, ...]
    rows: int
    condition: Sql | None = None
    with_identity: bool = False


def publish_batch(
    resource: Composable, sections: Sequence[Sql], *, lock_timeout_ms: int, lock_timeout_after_ms: int
) -> Statement:
    """The whole batch. `resource` are the application locks (`locks.take_transaction_lock`), in order; each section does what one
    load needs. `lock_timeout_after_ms` is that of the session's other statements."""
    return sql(
        "SET NOCOUNT ON;\nSET XACT_ABORT ON;\nSET LOCK_TIMEOUT {timeout};\n"
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED;\n"
        "IF @@TRANCOUNT <> 0 THROW 51001, N'dltsync: a transaction is open on this connection', 1;\n"
        "DECLARE @code int, @lower int, @upper int, @n int, @rows bigint, @fence bigint, @text nvarchar(max);\n"
        "BEGIN TRANSACTION;\n{locks}{sections}COMMIT TRANSACTION;\nSET LOCK_TIMEOUT {after};",
        timeout=Literal(lock_timeout_ms),
        after=Literal(lock_timeout_after_ms),
        locks=resource,
        sections=join("", list(sections)),
    ).render()


def switch_partitions(target: TableName, staging_in: TableName, staging_out: TableName, span: PartitionSpan) -> Sql:
    """The partitions' rows out of the target, and the new ones in. The first SWITCH's lock holds the boundaries until the end;
    they are looked up again after it, because they may have moved before it."""
    step = join(
        "SET @n = @n + 1;\n",
        [
            sql(
                "ALTER TABLE {target} SWITCH PARTITION @n TO {out} PARTITION @n;\n"
                "ALTER TABLE {staging} SWITCH PARTITION @n TO {target} PARTITION @n;\n",
                target=table(target),
                out=table(staging_out),
                staging=table(staging_in),
            )
        ]
        * span.count,
    )
    return sql(
        "{find}SET @n = @lower + 1;\n{step}{again}",
        find=find_span(span),
        step=step,
        again=span_is_still_there(span),
    )


def switch_whole_tables(target: TableName, staging_in: TableName, staging_out: TableName, span: PartitionSpan) -> Sql:
    """The same with staging tables that have no partitions, for one partition."""
    return sql(
        "{find}SET @n = @lower + 1;\n"
        "ALTER TABLE {target} SWITCH PARTITION @n TO {out};\n"
        "ALTER TABLE {staging} SWITCH TO {target} PARTITION @n;\n{again}",
        find=find_span(span),
        target=table(target),
        out=table(staging_out),
        staging=table(staging_in),
        again=span_is_still_there(span),
    )


def switch_table(target: TableName, staging_in: TableName, staging_out: TableName) -> Sql:
    """All rows of a table without partitions out of it, and the new ones in."""
    return sql(
        "ALTER TABLE {target} SWITCH TO {out};\nALTER TABLE {staging} SWITCH TO {target};\n",
        target=table(target),
        out=table(staging_out),
        staging=table(staging_in),
    )


def replace_range(target: TableName, condition: Sql | None, copy: RowCopy, *, exclusive: bool) -> Sql:
    """Delete the rows of a condition (None: all), then insert. `exclusive` locks the table first: without row versions a reader
    could otherwise see some rows of either state in one statement."""
    return delete_range(target, condition, exclusive=exclusive) + _copy(target, copy)


def delete_range(target: TableName, condition: Sql | None, *, exclusive: bool) -> Sql:
    """Delete the rows of a condition (None: all), with the table locked first when `exclusive`."""
    return sql(
        "DELETE FROM {target}{hint}{where};\n",
        target=table(target),
        hint=sql(" WITH (TABLOCKX)") if exclusive else _NOTHING,
        where=_where(condition),
    )


def truncate_partitions(target: TableName, span: PartitionSpan, copy: RowCopy) -> Sql:
    """Empty the partitions, then insert. Readers wait until the transaction ends."""
    return empty_partitions(target, span) + _copy(target, copy)


def empty_partitions(target: TableName, span: PartitionSpan) -> Sql:
    """Empty the partitions. Their numbers go in as text: TRUNCATE takes constants only."""
    return sql(
        "{find}SET @text = N'TRUNCATE TABLE ' + {name} + N' WITH (PARTITIONS (' + CAST(@lower + 1 AS nvarchar(10)) + N' TO ' + "
        "CAST(@upper AS nvarchar(10)) + N'))';\nEXEC (@text);\n{again}",
        find=find_span(span),
        name=Literal(table(target).render().text),
        again=span_is_still_there(span),
    )


def truncate_and_insert(target: TableName, copy: RowCopy) -> Sql:
    """Empty the table, then insert. Readers wait until the transaction ends."""
    return sql("TRUNCATE TABLE {target};\n{copy}", target=table(target), copy=_copy(target, copy))


def merge_rows(target: TableName, copy: RowCopy, keys: Sequence[ColumnFacts]) -> Sql:
    """Update the rows whose key is there, insert the others: UPDATE and INSERT, because MERGE is not atomic against other
    writers. Keys are compared by their bytes too: under the target's collation two keys of the source may be equal."""
    names = {key.name.casefold() for key in keys}
    others = [Identifier(name) for name in copy.columns if name.casefold() not in names]
    same = join(" AND ", [part for key in keys for part in _same(key)])
    update = (
        sql(
            "UPDATE t SET {values}\nFROM {target} AS t JOIN {staging} AS s ON {same};\n",
            values=join(", ", [sql("t.{n} = s.{n}", n=name) for name in others]),
            target=table(target),
            staging=table(copy.staging),
            same=same,
        )
        if others
        else _NOTHING
    )
    return sql(
        "{update}{on}INSERT INTO {target} ({columns})\nSELECT {values} FROM {staging} AS s\n"
        "WHERE NOT EXISTS (SELECT 1 FROM {target} AS t WHERE {same});\n{off}",
        update=update,
        on=_identity(target, copy, on=True),
        target=table(target),
        columns=_names(copy.columns),
        values=join(", ", [sql("s.{n}", n=Identifier(name)) for name in copy.columns]),
        staging=table(copy.staging),
        same=same,
        off=_identity(target, copy, on=False),
    )


def count_into_rows(target: TableName) -> Sql:
    """The rows of the table, into the variable `@rows`."""
    return sql("SELECT @rows = COUNT_BIG(*) FROM {target};\n", target=table(target))


def copy_rows(target: TableName, columns: Sequence[tuple[str, Sql]], source: TableName) -> Statement:
    """Rows from one table into another, with an expression for each column of the target."""
    return sql(
        "SET NOCOUNT ON;\nINSERT INTO {target} WITH (TABLOCK) ({names})\nSELECT {values}\nFROM {source};",
        target=table(target),
        names=_names([name for name, _ in columns]),
        values=join(",\n  ", [value for _, value in columns]),
        source=table(source),
    ).render()


def insert_row(target: TableName, columns: Sequence[tuple[str, str]]) -> Statement:
    """One row, with a parameter marker for each column, in order. Each column has its declared type. Dates and times come as
    text: `datetime` and `smalldatetime` in the style that no language setting changes, the others as ISO text."""
    values = [
        sql("CONVERT({type}, ?, 126)", type=TypeName(declared))
        if declared in _LOCAL_TEXT_TYPES
        else sql("CAST(? AS {type})", type=TypeName(declared))
        for _, declared in columns
    ]
    return sql(
        "INSERT INTO {target} ({names}) VALUES ({values});",
        target=table(target),
        names=_names([name for name, _ in columns]),
        values=join(", ", values),
    ).render()


def _copy(target: TableName, copy: RowCopy) -> Sql:
    columns = _names(copy.columns)
    return sql(
        "{on}INSERT INTO {target} ({columns})\nSELECT {columns} FROM {staging}{where};\n"
        "IF @@ROWCOUNT <> {rows} THROW 51005, N'dltsync: other rows arrived than were staged', 1;\n{off}",
        on=_identity(target, copy, on=True),
        target=table(target),
        columns=columns,
        staging=table(copy.staging),
        where=_where(copy.condition),
        rows=Literal(copy.rows),
        off=_identity(target, copy, on=False),
    )


def _where(condition: Sql | None) -> Sql:
    return sql(" WHERE {condition}", condition=inlined(condition)) if condition is not None else _NOTHING


def _identity(target: TableName, copy: RowCopy, *, on: bool) -> Sql:
    if not copy.with_identity:
        return _NOTHING
    word = sql("ON") if on else sql("OFF")
    return sql("SET IDENTITY_INSERT {target} {word};\n", target=table(target), word=word)


def find_span(span: PartitionSpan) -> Sql:
    """Set @lower and @upper to the boundary ids at both ends: the partitions are those from @lower + 1 to @upper, whatever
    side the boundaries belong to. An open end is 0, or the number of partitions."""
    return sql(
        "SET @lower = {lower};\nSET @upper = NULL;\n{ends}"
        "IF @lower IS NULL OR @upper IS NULL OR @upper - @lower <> {count} "
        "THROW 51004, N'dltsync: the boundaries of the target moved', 1;\n",
        lower=Literal(0) if span.range.lower is None else Literal(None),
        ends=_ends(span),
        count=Literal(span.count),
    )


def span_is_still_there(span: PartitionSpan) -> Sql:
    """After the first lock: the ends are where they were."""
    return sql(
        "SET @n = @lower;\n{find}IF @n <> @lower THROW 51004, N'dltsync: the boundaries of the target moved', 1;\n",
        find=find_span(span),
    )


def _ends(span: PartitionSpan) -> Sql:
    lower = _NOTHING if span.range.lower is None else _boundary_id(span, sql("@lower"), span.range.lower)
    if span.range.upper is not None:
        return lower + _boundary_id(span, sql("@upper"), span.range.upper)
    return lower + sql(
        "SELECT @upper = f.fanout FROM sys.partition_functions AS f WHERE f.name = {name};\n",
        name=Literal(span.function),
    )


def _boundary_id(span: PartitionSpan, variable: Sql, boundary: Boundary) -> Sql:
    return sql(
        "SELECT {variable} = r.boundary_id\nFROM sys.partition_range_values AS r\n"
        "JOIN sys.partition_functions AS f ON f.function_id = r.function_id\n"
        "WHERE f.name = {name} AND r.parameter_id = 1 AND {same};\n",
        variable=variable,
        name=Literal(span.function),
        same=_equals(span, boundary),
    )


def _equals(span: PartitionSpan, boundary: Boundary) -> Sql:
    if boundary.text is None:
        return sql("r.value IS NULL")
    column = span.column
    binary = sql(" COLLATE Latin1_General_100_BIN2") if column.type_name in _CHARACTERS else _NOTHING
    return sql(
        # CASE, because the server may convert before it compares names, and other functions have values of other types (529).
        "CASE WHEN f.name = {name} THEN CAST(r.value AS {type}) END{binary} = {value}{binary}",
        name=Literal(span.function),
        type=TypeName(declared_type(column)),
        binary=binary,
        value=inlined(from_text(column, boundary.text)),
    )


def _same(key: ColumnFacts) -> list[Sql]:
    name = Identifier(key.name)
    equal = sql("t.{n} = s.{n}", n=name)
    if key.type_name not in _CHARACTERS:
        return [equal]
    kind = sql("varbinary(max)") if key.max_length == -1 else sql("varbinary(8000)")
    return [equal, sql("CAST(t.{n} AS {kind}) = CAST(s.{n} AS {kind})", n=name, kind=kind)]


def _names(names: Sequence[str]) -> Sql:
    return join(", ", [Identifier(name) for name in names])
