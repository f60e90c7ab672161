"""Rows that a load switched out, and what is known of them until the load was validated.

One row per unit in `replaced_rows` names the staging table that holds the rows of before; `replaced_markers` has the markers as
they were. Both are written in the transaction of the switch: where the record is, the rows are, and the other way round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dltsync_core.identity import TableName
from dltsync_core.tsql.fragments import Identifier, Literal, Sql, Statement, TypeName, join, sql, table
from dltsync_core.tsql.warehouse.markers import COLUMNS as MARKER_COLUMNS
from dltsync_core.tsql.warehouse.markers import KEY, column_definitions

_BINARY = sql(" COLLATE Latin1_General_100_BIN2")
_TEXT = {
    "pipeline": "nvarchar(128)",
    "target_schema": "nvarchar(128)",
    "target_table": "nvarchar(128)",
    "unit": "nvarchar(max)",
    "load_id": "nvarchar(128)",
    "run_token": "nvarchar(128)",
    "staging_schema": "nvarchar(128)",
    "staging_table": "nvarchar(128)",
    "partition_range": "nvarchar(max)",
    "written_at": "nvarchar(50)",
}
COLUMNS = tuple(_TEXT)
OWNER = "replaced_by"
"""In the table of markers: the `id` of the record they belong to."""


def create_tables(records: TableName, markers: TableName) -> Statement:
    """Make both tables unless they are there."""
    columns = [sql("{c} {t}{b} NULL", c=Identifier(c), t=TypeName(t), b=_BINARY) for c, t in _TEXT.items()]
    return sql(
        "IF OBJECT_ID({records_literal}, N'U') IS NULL\nCREATE TABLE {records} (\n"
        "  {key} char(64){binary} NOT NULL PRIMARY KEY,\n  {columns}\n);\n"
        "IF OBJECT_ID({markers_literal}, N'U') IS NULL\nCREATE TABLE {markers} (\n  {owner} char(64){binary} NOT NULL,\n"
        "  {key} char(64){binary} NOT NULL,\n  {marker_columns},\n  PRIMARY KEY ({owner}, {key})\n);",
        records_literal=Literal(table(records).render().text),
        records=table(records),
        markers_literal=Literal(table(markers).render().text),
        markers=table(markers),
        key=Identifier(KEY),
        owner=Identifier(OWNER),
        binary=_BINARY,
        columns=join(",\n  ", columns),
        marker_columns=join(",\n  ", column_definitions()),
    ).render()


def select_records(records: TableName) -> Statement:
    """All records, each with its id. Fails with 208 when there is no such table."""
    return sql(
        "SELECT {key}, {columns} FROM {table}", key=Identifier(KEY), columns=_names(COLUMNS), table=table(records)
    ).render()


def select_marker_ids(markers: TableName, owner: str) -> Statement:
    """The ids of the markers that a record keeps."""
    return sql(
        "SELECT {key} FROM {table} WHERE {owner} = {id}",
        key=Identifier(KEY),
        table=table(markers),
        owner=Identifier(OWNER),
        id=Literal(owner),
    ).render()


def keep_rows(
    records: TableName,
    saved_markers: TableName,
    markers: TableName,
    row: Mapping[str, str | None],
    marker_ids: Sequence[str],
) -> Sql:
    """Inside the publishing transaction, before the unit's marker is written: the record of the rows that are switched out, and
    the markers as they are. The first of `marker_ids` is the unit's own."""
    return sql(
        "INSERT INTO {records} ({key}, {columns})\nVALUES ({id}, {values});\n"
        "INSERT INTO {saved} ({owner}, {key}, {marker_columns})\nSELECT {id}, {key}, {marker_columns} FROM {markers} "
        "WHERE {key} IN ({ids});\n",
        records=table(records),
        saved=table(saved_markers),
        markers=table(markers),
        key=Identifier(KEY),
        owner=Identifier(OWNER),
        columns=_names(COLUMNS),
        marker_columns=_names(MARKER_COLUMNS),
        id=Literal(marker_ids[0]),
        values=join(", ", [Literal(row[column]) for column in COLUMNS]),
        ids=join(", ", [Literal(one) for one in marker_ids]),
    )


def forget_rows(records: TableName, saved_markers: TableName, markers: TableName, id_: str, load_id: str) -> Statement:
    """The load was validated: its record goes, in one transaction. One row `is_there`: 1 when the unit's marker names the load,
    so that its rows are what the warehouse has."""
    return sql(
        "SET NOCOUNT ON;\nSET XACT_ABORT ON;\nBEGIN TRANSACTION;\n"
        "DELETE FROM {saved} WHERE {owner} = {id} AND EXISTS (SELECT 1 FROM {records} WHERE {key} = {id} AND load_id = {load});\n"
        "DELETE FROM {records} WHERE {key} = {id} AND load_id = {load};\n"
        "COMMIT TRANSACTION;\n"
        "SELECT COUNT(*) AS is_there FROM {markers} WHERE {key} = {id} AND load_id = {load};",
        records=table(records),
        saved=table(saved_markers),
        markers=table(markers),
        key=Identifier(KEY),
        owner=Identifier(OWNER),
        id=Literal(id_),
        load=Literal(load_id),
    ).render()


def check_record(records: TableName, markers: TableName, id_: str, load_id: str) -> Sql:
    """Inside the transaction that switches back: fail when another session has settled the load, or loaded the unit again."""
    return sql(
        "IF NOT EXISTS (SELECT 1 FROM {records} WHERE {key} = {id} AND load_id = {load}) "
        "OR NOT EXISTS (SELECT 1 FROM {markers} WHERE {key} = {id} AND load_id = {load}) "
        "THROW 51006, N'dltsync: the rows of before this load are no longer there', 1;\n",
        records=table(records),
        markers=table(markers),
        key=Identifier(KEY),
        id=Literal(id_),
        load=Literal(load_id),
    )


def restore_markers(
    records: TableName, saved_markers: TableName, markers: TableName, id_: str, load_id: str, marker_ids: Sequence[str]
) -> Sql:
    """Inside the transaction that switches back: the markers as they were, and the record goes. A marker that another load has
    written since stays. The unit's fence stays that of the load that is undone: older writers are refused as before."""
    ids = join(", ", [Literal(one) for one in dict.fromkeys((id_, *marker_ids))])
    return sql(
        "SELECT @fence = fence FROM {markers} WHERE {key} = {id};\n"
        "DELETE FROM {markers} WHERE {key} IN ({ids}) AND load_id = {load};\n"
        "INSERT INTO {markers} ({key}, {columns})\nSELECT {key}, {columns} FROM {saved} AS k WHERE {owner} = {id} "
        "AND NOT EXISTS (SELECT 1 FROM {markers} AS m WHERE m.{key} = k.{key});\n"
        "UPDATE {markers} SET fence = @fence WHERE {key} = {id} AND fence < @fence;\n"
        "DELETE FROM {saved} WHERE {owner} = {id};\nDELETE FROM {records} WHERE {key} = {id};\n",
        records=table(records),
        saved=table(saved_markers),
        markers=table(markers),
        key=Identifier(KEY),
        owner=Identifier(OWNER),
        columns=_names(MARKER_COLUMNS),
        id=Literal(id_),
        ids=ids,
        load=Literal(load_id),
    )


def delete_records(records: TableName, saved_markers: TableName, ids: Sequence[str]) -> Statement:
    """Those of a table that is dropped."""
    given = join(", ", [Literal(one) for one in ids])
    return sql(
        "DELETE FROM {saved} WHERE {owner} IN ({ids});\nDELETE FROM {records} WHERE {key} IN ({ids});",
        records=table(records),
        saved=table(saved_markers),
        key=Identifier(KEY),
        owner=Identifier(OWNER),
        ids=given,
    ).render()


def _names(names: Sequence[str]) -> Sql:
    return join(", ", [Identifier(name) for name in names])
