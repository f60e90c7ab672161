"""The marker table of a SQL Server warehouse: one row per unit, written in the transaction of the unit's rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dltsync_core.identity import TableName
from dltsync_core.tsql.fragments import Identifier, Literal, Sql, Statement, TypeName, join, sql, table

_BINARY = sql(" COLLATE Latin1_General_100_BIN2")
KEY = "id"
_TEXT = {
    "pipeline": "nvarchar(128)",
    "target_schema": "nvarchar(128)",
    "target_table": "nvarchar(128)",
    "unit": "nvarchar(max)",
    "schema_name": "nvarchar(128)",
    "table_name": "nvarchar(128)",
    "kind": "nvarchar(20)",
    "load_id": "nvarchar(128)",
    "run_id": "nvarchar(128)",
    "probe_method": "nvarchar(50)",
    "probe_signature": "nvarchar(max)",
    "probe_watermark": "nvarchar(max)",
    "watermark": "nvarchar(max)",
    "definition_digest": "nvarchar(128)",
    "source": "nvarchar(max)",
    "lake": "nvarchar(128)",
    "written_at": "nvarchar(50)",
}
_NUMBERS = {"fence": "bigint", "rows": "bigint", "probe_rows": "bigint"}
COLUMNS = (*_TEXT, *_NUMBERS)


def create_markers(name: TableName) -> Statement:
    """Make the table unless it is there. `id` is a digest of pipeline, target and unit: a unit's name may be longer than a
    key."""
    literal = Literal(table(name).render().text)
    return sql(
        "IF OBJECT_ID({literal}, N'U') IS NULL\nCREATE TABLE {table} (\n  {key} char(64){binary} NOT NULL PRIMARY KEY,\n"
        "  {columns}\n);",
        literal=literal,
        table=table(name),
        key=Identifier(KEY),
        binary=_BINARY,
        columns=join(",\n  ", column_definitions()),
    ).render()


def column_definitions() -> list[Sql]:
    """The columns of a marker beside its id, as CREATE TABLE writes them."""
    return [
        *(sql("{c} {t}{b} NULL", c=Identifier(c), t=TypeName(t), b=_BINARY) for c, t in _TEXT.items()),
        *(sql("{c} {t} NULL", c=Identifier(c), t=TypeName(t)) for c, t in _NUMBERS.items()),
    ]


def select_markers(name: TableName, target: tuple[str, str]) -> Statement:
    """The markers of a target, of all pipelines, each with its id. Fails with 208 when there is no marker table."""
    return sql(
        "SELECT {key}, {columns} FROM {table} WHERE target_schema = {schema} AND target_table = {name}",
        key=Identifier(KEY),
        columns=_names(COLUMNS),
        table=table(name),
        schema=Literal(target[0]),
        name=Literal(target[1]),
    ).render()


def refuse_late_writer(name: TableName, marker_id: str, fence: int) -> Sql:
    """Inside the transaction: fail when a writer with a higher fence has been at the unit."""
    return sql(
        "IF EXISTS (SELECT 1 FROM {table} WHERE id = {id} AND fence > {fence}) "
        "THROW 51003, N'dltsync: a later load of another run reached this unit', 1;\n",
        table=table(name),
        id=Literal(marker_id),
        fence=Literal(fence),
    )


def write_marker(
    name: TableName,
    marker_id: str,
    row: Mapping[str, str | int | None],
    *,
    gone: Sequence[str] = (),
    void: Sequence[str] = (),
    counted: bool = False,
) -> Sql:
    """Inside the transaction: the unit's marker in place of its last one, without those of the ids `gone`. With `counted` the
    rows are what the variable `@rows` holds. The markers `void`, of other pipelines for the same rows, name this load from now
    on, and no lake. All by primary key: a scan would wait for the markers of tables that other runs publish."""
    values = [
        sql("@rows") if column == "rows" and counted else sql("{v}", v=Literal(row[column])) for column in COLUMNS
    ]
    voided = (
        sql(
            "UPDATE {table} SET load_id = {load}, lake = N'', watermark = NULL WHERE id IN ({ids});\n",
            table=table(name),
            load=Literal(row["load_id"]),
            ids=_literals(void),
        )
        if void
        else Sql(())
    )
    return sql(
        "DELETE FROM {table} WHERE id IN ({ids});\nINSERT INTO {table} (id, {columns})\nVALUES ({id}, {values});\n{voided}",
        table=table(name),
        ids=_literals([marker_id, *gone]),
        columns=_names(COLUMNS),
        id=Literal(marker_id),
        values=join(", ", values),
        voided=voided,
    )


def delete_markers(name: TableName, target: tuple[str, str]) -> Statement:
    """Those of a target, of all pipelines. Nothing when there is no marker table."""
    literal = Literal(table(name).render().text)
    return sql(
        "IF OBJECT_ID({literal}, N'U') IS NOT NULL DELETE FROM {table} WHERE target_schema = {schema} AND target_table = {name};",
        literal=literal,
        table=table(name),
        schema=Literal(target[0]),
        name=Literal(target[1]),
    ).render()


def _literals(ids: Sequence[str]) -> Sql:
    return join(", ", [Literal(one) for one in ids])


def _names(names: Sequence[str]) -> Sql:
    return join(", ", [Identifier(name) for name in names])
