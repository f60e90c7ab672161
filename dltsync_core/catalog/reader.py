"""Reads facts from the server: one round trip per kind of fact, however many tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from dltsync_core.catalog.facts import DatabaseFacts, ListedTable, PartitioningFacts, TableFacts
from dltsync_core.catalog.name_resolution import ObjectFacts, resolve_name
from dltsync_core.catalog.queries import query, query_for
from dltsync_core.catalog.query_rows import (
    Row,
    any_masked,
    boundaries_by_function,
    columns_by_table,
    indexes_by_table,
    keys_of,
    partitioning_of,
    rows_by_partition,
)
from dltsync_core.catalog.support import Server, explained
from dltsync_core.errors import SyncError, TableNotFound
from dltsync_core.identity import TableName

_PURPOSES = {
    "database": "the facts of the database",
    "objects": "the list of tables",
    "columns": "the columns of a table",
    "unmask": "masked columns",
    "keys": "the keys and indexes of a table",
    "partitions": "the partitions of a table",
    "partitioning": "the partitions of a table",
    "boundaries": "the boundaries of a partition function",
    "row_filters": "row-level security, which hides rows without an error",
    "descriptions": "the descriptions of tables",
}
"""The purpose of each query, for errors."""

IDS_PER_QUERY = 1000
"""Ids in one IN list. A request takes 2100 parameters."""


class Session(Protocol):
    """Runs a query and returns its rows by column name."""

    def query(self, statement: str, parameters: Sequence[object] = ()) -> list[Row]: ...


def read_database(session: Session) -> DatabaseFacts:
    """The database the session is in."""
    row = _ask(session, "database")[0]
    return DatabaseFacts(
        server=row["server_name"] or "",
        database=row["database_name"],
        product_version=row["product_version"],
        engine_edition=row["engine_edition"],
        collation=row["collation_name"],
        compatibility_level=row["compatibility_level"],
        snapshot_allowed=row["snapshot_state"] == 1,
        read_committed_snapshot=bool(row["read_committed_snapshot"]),
    )


def list_tables(session: Session, *, with_columns: bool = False) -> list[ListedTable]:
    """Every user table that this login may see, by name; `with_columns` costs one more query."""
    tables = {o.object_id: TableName(o.name.schema, o.name.table) for o in _objects(session) if o.type == "U"}
    partitioned = {row["object_id"] for row in _query_ids(session, "partitioning", sorted(tables))}
    columns: dict[int, list[str]] = {}
    for row in _query_ids(session, "columns", sorted(tables)) if with_columns else ():
        columns.setdefault(row["object_id"], []).append(row["column_name"])
    return sorted(
        ListedTable(name, number in partitioned, tuple(columns.get(number, ()))) for number, name in tables.items()
    )


def read_tables(session: Session, names: Iterable[TableName], database: str) -> dict[TableName, TableFacts]:
    """Facts of every named table, keyed by the name as given. Raises TableNotFound, CatalogError."""
    objects = _objects(session)
    found = {name: resolve_name(name, objects, database) for name in names}
    ids = sorted({o.object_id for o in found.values()})
    columns_rows = _query_ids(session, "columns", ids)
    unmasked = any_masked(columns_rows) and bool(_ask(session, "unmask")[0]["unmask"])
    columns = columns_by_table(columns_rows, unmasked=unmasked)
    indexes = indexes_by_table(_query_ids(session, "keys", ids))
    approx = rows_by_partition(_query_ids(session, "partitions", ids))
    partitioned = {row["object_id"]: row for row in _query_ids(session, "partitioning", ids)}
    functions = sorted({row["function_id"] for row in partitioned.values()})
    boundaries = boundaries_by_function(_query_ids(session, "boundaries", functions))
    filtered = {row["object_id"] for row in _query_ids(session, "row_filters", ids)}
    descriptions = {row["object_id"]: row["description"] for row in _query_ids(session, "descriptions", ids)}

    def facts(name: TableName, object_id: int) -> TableFacts:
        mine = columns.get(object_id)
        if not mine:
            raise TableNotFound(
                f"table {name} has no column this login may see in database {database}",
                remedy="grant SELECT on the table",
                table=str(name),
            )
        partitioning: PartitioningFacts | None = None
        if row := partitioned.get(object_id):
            partitioning = partitioning_of(
                name, row, mine, boundaries.get(row["function_id"], []), approx.get(object_id, {})
            )
        primary_key, unique_keys = keys_of(indexes.get(object_id, ()))
        return TableFacts(
            name=name,
            object_id=object_id,
            columns=mine,
            primary_key=primary_key,
            unique_keys=unique_keys,
            partitioning=partitioning,
            approx_rows=sum(approx.get(object_id, {}).values()),
            has_row_filter=object_id in filtered,
            hides_row_filters=None in filtered,
            description=descriptions.get(object_id),
            indexes=indexes.get(object_id, ()),
        )

    return {wanted: facts(o.name, o.object_id) for wanted, o in found.items()}


def _objects(session: Session) -> list[ObjectFacts]:
    return [
        ObjectFacts(TableName(row["schema_name"], row["object_name"]), row["object_id"], row["type"].strip())
        for row in _ask(session, "objects")
    ]


def _query_ids(session: Session, name: str, ids: Sequence[int]) -> list[Row]:
    rows: list[Row] = []
    for start in range(0, len(ids), IDS_PER_QUERY):
        some = ids[start : start + IDS_PER_QUERY]
        rows += _ask(session, name, some)
    return rows


def _ask(session: Session, name: str, ids: Sequence[int] = ()) -> list[Row]:
    """The rows of `queries/<name>.sql`. Raises UnsupportedServer when the server lacks what it reads."""
    statement = query_for(name, len(ids)) if ids else query(name)
    try:
        return session.query(statement, ids)
    except SyncError as error:
        translated = explained(error, lambda: _server(session), _PURPOSES[name])
        if translated is error:
            raise
        raise translated from error


def _server(session: Session) -> Server:
    row = session.query(query("server"))[0]
    return Server(str(row["product_version"]), int(row["engine_edition"]))
