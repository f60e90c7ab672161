"""Landed rows into their tables, with the markers, in one transaction of the destination."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa

from dltsync_core import checkpoints
from dltsync_core.duckdb.column_types import duckdb_type
from dltsync_core.duckdb.partition_scope import condition_of
from dltsync_core.errors import WarehouseError
from dltsync_core.identity import Target, dotted
from dltsync_core.plan.steps import MergeKeys, ReplaceScope, ReplaceTable, UpsertKeys
from dltsync_core.warehouse.dlt.connection import Session
from dltsync_core.warehouse.dlt.dialect import PostgresSql
from dltsync_core.warehouse.dlt.markers import check_fence, create_marker_table, lock_definitions, write_marker
from dltsync_core.warehouse.dlt.types import landed_schema, landed_type
from dltsync_core.warehouse.duckdb.evolution import Evolution, changed_shape, plan_evolution
from dltsync_core.warehouse.port import LoadRequest

EVERYTHING = "1 = 1"
"""A condition that every row meets, in every dialect."""


def bring_in(session: Session, requests: Sequence[LoadRequest], landed: Sequence[Target | None]) -> None:
    """All loads, or none of them; those of one table in the order given. Raises Fenced, DriftError, and what the database
    raises."""
    with session.transaction():
        _lock_tables(session, requests)
        for request in requests:
            if request.marker is not None:
                check_fence(session, request.target, request.marker)
        if any(request.marker is not None for request in requests):
            create_marker_table(session)
        for request, rows in zip(requests, landed, strict=True):
            _bring_in(session, request, rows)
            _mark(session, request)
        checkpoints.reached(checkpoints.WAREHOUSE_WRITTEN)
    checkpoints.reached(checkpoints.WAREHOUSE_COMMITTED)


def condition_in(session: Session, scope: ReplaceScope | None) -> str:
    """A scope's rows, or all."""
    if scope is None:
        return EVERYTHING
    return condition_of(replace(scope, arrow_type=landed_type(scope.arrow_type)), session.dialect)


def planned_evolution(session: Session, target: Target, schema: pa.Schema) -> Evolution:
    """What has to change in a table that is there, so that a load of this schema fits. Raises DriftError. Where dltsync does
    not know how the destination changes a column's type, a wider one is refused too."""
    evolution = plan_evolution(target, session.columns(target), landed_schema(schema))
    if not isinstance(session.dialect, PostgresSql) and (evolution.widened or evolution.relaxed):
        changed = [f"{name} is {held} in the warehouse and needs {wider}" for name, held, wider in evolution.widened]
        changed += [f"{name} does not admit NULL in the warehouse" for name in evolution.relaxed]
        raise changed_shape(target, changed)
    return evolution


def _lock_tables(session: Session, requests: Sequence[LoadRequest]) -> None:
    """One load of a table at a time: what it checks stays true until it commits. In one order, so that none waits for another."""
    if isinstance(session.dialect, PostgresSql):
        for target in sorted({request.target for request in requests}):
            session.run(session.dialect.lock_until_commit("table", *target))


def _bring_in(session: Session, request: LoadRequest, landed: Target | None) -> None:
    dialect, target, how = session.dialect, request.target, request.disposition
    if not _prepare_table(session, request, landed):
        return
    checkpoints.reached(checkpoints.WAREHOUSE_EVOLVED)
    if isinstance(how, ReplaceScope):
        _execute(session, dialect.delete_where(target, condition_in(session, how)))
    elif isinstance(how, ReplaceTable):
        _execute(session, dialect.delete_where(target, EVERYTHING))
    elif landed is not None and isinstance(how, (MergeKeys, UpsertKeys)):
        _execute(session, dialect.delete_keys_of(target, landed, how.columns))
    if landed is not None:
        _execute(session, dialect.insert_from(target, landed, request.schema.names))


def _execute(session: Session, statement: str) -> None:
    session.run(statement)
    checkpoints.reached(checkpoints.WAREHOUSE_STATEMENT)


def _prepare_table(session: Session, request: LoadRequest, landed: Target | None) -> bool:
    """The table, there and in the load's shape. False when there is none, and no rows from which the destination could make
    one."""
    dialect, target, schema = session.dialect, request.target, landed_schema(request.schema)
    if session.columns(target):
        _evolve(session, target, planned_evolution(session, target, request.schema), landed)
        return True
    if not dialect.creates_by_type_name and landed is None:
        return False
    lock_definitions(session)
    session.create_schema(target[0])
    if not dialect.creates_by_type_name and landed is not None:
        session.run(dialect.create_like(target, landed, schema.names))
    else:
        session.run(dialect.create_table(target, [(field.name, duckdb_type(field.type)) for field in schema]))
    if isinstance(dialect, PostgresSql) and isinstance(request.disposition, ReplaceScope):
        _index(session, dialect, target, request.disposition)
    planned_evolution(session, target, request.schema)  # what was made holds what comes: DriftError otherwise
    return True


def _index(session: Session, dialect: PostgresSql, target: Target, scope: ReplaceScope) -> None:
    """Partitions are deleted and counted by their column. Bytes may be longer than an index takes."""
    if not pa.types.is_binary(landed_type(scope.arrow_type)):
        session.run(dialect.create_index(target, scope.column.name))


def _evolve(session: Session, target: Target, evolution: Evolution, landed: Target | None) -> None:
    dialect = session.dialect
    for old, new in evolution.renamed:
        session.run(dialect.rename_column(target, old, new))
    if isinstance(dialect, PostgresSql):
        for column, _, wider in evolution.widened:
            session.run(dialect.change_type(target, column, wider))
        for column in evolution.relaxed:
            session.run(dialect.allow_null(target, column))
    types = session.own_types(landed) if landed is not None and not dialect.creates_by_type_name else {}
    for column, kind in evolution.added:
        if landed is not None or dialect.creates_by_type_name:
            session.run(dialect.add_column(target, column, types.get(column, kind)))


def _mark(session: Session, request: LoadRequest) -> None:
    if request.marker is None:
        return
    scope = request.disposition if isinstance(request.disposition, ReplaceScope) else None
    rows = 0
    if session.columns(request.target):
        rows = int(session.run(session.dialect.count_where(request.target, condition_in(session, scope)))[0][0])
    write_marker(session, request.target, replace(request.marker, rows=rows), request.retires)


def no_history(target: Target) -> WarehouseError:
    """The refusal of a check or repair of versions."""
    return WarehouseError(
        f"{dotted(*target)}: the history of an scd table can be checked and repaired in a DuckDB file only",
        remedy="use `dltsync validate --row-diff` to compare the rows with the source, and `dltsync run --full-refresh` to load "
        "the table anew",
    )
