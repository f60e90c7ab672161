"""Published files into tables of a DuckDB file, inside the transaction that is open on the connection."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
from dlt.pipeline.exceptions import PipelineStepFailed
from duckdb import DuckDBPyConnection

from dltsync_core import checkpoints
from dltsync_core.disk_full import disk_full, is_disk_full
from dltsync_core.duckdb import sql as q
from dltsync_core.duckdb.column_stats import summarise_relation
from dltsync_core.duckdb.column_types import duckdb_type
from dltsync_core.duckdb.partition_scope import duckdb_condition, starts_of
from dltsync_core.errors import DriftError, NotWritable, SyncError, WarehouseError
from dltsync_core.identity import Target, dotted
from dltsync_core.plan.steps import MergeKeys, ReplaceScope, ReplaceTable, UpsertKeys
from dltsync_core.warehouse.dlt.files import TableFiles, deliver
from dltsync_core.warehouse.duckdb.catalog import columns_of, target_as_stored
from dltsync_core.warehouse.duckdb.evolution import unexpected_types
from dltsync_core.warehouse.duckdb.schema_changes import reshape
from dltsync_core.warehouse.port import LoadRequest


@dataclass
class _Wave:
    """Loads that may come in together: no row of one can be deleted by another. By table as `_key` tells tables apart."""

    requests: list[LoadRequest] = field(default_factory=list)

    def admits(self, request: LoadRequest) -> bool:
        """Different partitions of one table do not overlap; every other load is alone with its table."""
        beside = [other for other in self.requests if _key(other.target) == _key(request.target)]
        if any(other.disposition == request.disposition for other in beside):
            return False
        return all(
            isinstance(one.disposition, ReplaceScope) and one.schema.equals(request.schema)
            for one in (*beside, *([request] if beside else ()))
        )


def load_files(
    connection: DuckDBPyConnection, catalog: str, requests: Sequence[LoadRequest], directory: Path
) -> list[Target]:
    """Bring the files of all loads in, in the order given as far as loads of one table go. The tables as DuckDB spells them.

    `directory` is an empty working directory for dlt. Nothing is committed. Raises WarehouseError, DriftError (a value does not
    fit the table), DiskFull or NotWritable; the caller then rolls back.
    """
    for number, wave in enumerate(_waves(requests)):
        _load_wave(connection, catalog, wave.requests, directory / f"wave_{number}")
    return [target_as_stored(connection, catalog, request.target) for request in requests]


def rows_of_units(
    connection: DuckDBPyConnection, catalog: str, requests: Sequence[LoadRequest], targets: Sequence[Target]
) -> list[int]:
    """The rows of each load's unit after all of them. `targets` are the tables as DuckDB spells them, `requests` those of one
    table: partitions that came in together are counted by one query."""
    conditions = [
        duckdb_condition(how) if isinstance(how := request.disposition, ReplaceScope) else q.EVERYTHING
        for request in requests
    ]
    if len(requests) > 1 and len(set(conditions)) == len(requests) and len(list(_waves(requests))) == 1:
        scopes = {
            str(number): request.disposition
            for number, request in enumerate(requests)
            if isinstance(request.disposition, ReplaceScope)
        }
        relation = q.qualified(catalog, *targets[0])
        asked = dict(zip(scopes, conditions, strict=True))
        return [one.rows for one in summarise_relation(connection, relation, (), asked, starts_of(scopes)).values()]
    counted = [
        connection.execute(q.count_where(catalog, target, condition)).fetchone()
        for target, condition in zip(targets, conditions, strict=True)
    ]
    return [int(row[0]) if row else 0 for row in counted]


def _waves(requests: Sequence[LoadRequest]) -> Iterator[_Wave]:
    wave = _Wave()
    for request in requests:
        if not wave.admits(request):
            yield wave
            wave = _Wave()
        wave.requests.append(request)
    if wave.requests:
        yield wave


def _load_wave(connection: DuckDBPyConnection, catalog: str, requests: Sequence[LoadRequest], directory: Path) -> None:
    by_table: dict[Target, list[LoadRequest]] = {}
    for request in requests:
        by_table.setdefault(_key(request.target), []).append(request)
    names = {f"table_{number}": group for number, group in enumerate(by_table.values())}
    targets = {name: _prepare_table(connection, catalog, group) for name, group in names.items()}

    def receive(name: str, path: Path) -> None:
        first = names[name][0]
        relation = q.parquet(str(path))
        if isinstance(first.disposition, (MergeKeys, UpsertKeys)):
            _execute(connection, q.delete_keys_of(catalog, targets[name], relation, first.disposition.columns))
        _execute(connection, q.insert_from(catalog, targets[name], relation, first.schema.names))

    files = {
        name: TableFiles(group[0].schema, [path for request in group for path in request.files])
        for name, group in names.items()
    }
    try:
        deliver(files, receive, directory)
    except (PipelineStepFailed, duckdb.Error) as error:
        raise _explained(error, requests) from error
    for name, group in names.items():
        _check_types(connection, catalog, targets[name], group[0])


def _prepare_table(connection: DuckDBPyConnection, catalog: str, group: Sequence[LoadRequest]) -> Target:
    """The table, there and in the loads' shape, without the rows that the loads replace."""
    first = group[0]
    target = target_as_stored(connection, catalog, first.target)
    reshape(connection, catalog, target, first.schema)
    columns = {field.name: duckdb_type(field.type) + ("" if field.nullable else " NOT NULL") for field in first.schema}
    connection.execute(q.create_schema(catalog, target[0]))
    connection.execute(q.create_table(catalog, target, columns))
    checkpoints.reached(checkpoints.WAREHOUSE_EVOLVED)
    for request in group:
        if isinstance(request.disposition, ReplaceScope):
            _execute(connection, q.delete_where(catalog, target, duckdb_condition(request.disposition)))
        elif isinstance(request.disposition, ReplaceTable):
            _execute(connection, q.delete_where(catalog, target, q.EVERYTHING))
    return target


def _execute(connection: DuckDBPyConnection, statement: str) -> None:
    connection.execute(statement)
    checkpoints.reached(checkpoints.WAREHOUSE_STATEMENT)


def _key(target: Target) -> Target:
    """DuckDB tells tables apart without regard to case."""
    return target[0].casefold(), target[1].casefold()


def _check_types(connection: DuckDBPyConnection, catalog: str, target: Target, request: LoadRequest) -> None:
    wrong = unexpected_types(columns_of(connection, catalog, target), request.schema)
    if wrong:
        found = "; ".join(f"{name}: {there} instead of {expected}" for name, (expected, there) in wrong.items())
        raise WarehouseError(
            f"{dotted(*target)} has not the types it was loaded with: {found}",
            remedy="this is a fault of dltsync: report it with this message",
        )


def _explained(error: Exception, requests: Sequence[LoadRequest]) -> SyncError:
    """Our error for DuckDB's or dlt's: the cause that was found."""
    cause: BaseException = error
    while (inner := cause.__cause__ or cause.__context__) is not None and not isinstance(cause, duckdb.Error):
        cause = inner
    message = str(cause).strip() or type(cause).__name__
    tables = list(dict.fromkeys(dotted(*request.target) for request in requests))
    table = ", ".join(tables)
    if is_disk_full(cause):
        return disk_full(
            f"on the disk while loading {table} into the warehouse",
            message,
            move="move the warehouse to a larger disk",
            outcome="the table is as it was",
            table=table,
        )
    if "permission denied" in message.lower() or "read-only file system" in message.lower():
        return NotWritable(f"the warehouse cannot be written while loading {table}: {message}", table=table)
    if isinstance(cause, duckdb.ConversionException):
        return DriftError(
            f"{table} has a column in the warehouse that cannot hold a value of this load: {message}. Nothing was written to the "
            "warehouse",
            remedy="drop the warehouse table, or choose another target_table, and run with --full-refresh",
            table=table,
        )
    step = f" at dlt's step {error.step!r}" if isinstance(error, PipelineStepFailed) else ""
    return WarehouseError(
        f"loading {table} into the warehouse failed{step}: {message}",
        remedy="the table is as it was before this load; correct what the message names and run again",
        table=table,
    )
