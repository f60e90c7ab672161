"""SELECT: rows to the client, or values to variables."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import pyarrow as pa

from sqlserver_sandbox.engine.duckdb.connection import Connection
from sqlserver_sandbox.engine.execution.commands import SELECT
from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.execution.results import columns_of
from sqlserver_sandbox.engine.execution.session_state import SessionState
from sqlserver_sandbox.engine.execution.variables import set_variable
from sqlserver_sandbox.engine.rows.target import lock_for_writing
from sqlserver_sandbox.model import Column, Outcome, ResultSet, RowsAffected
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.bind.bound import BoundQuery
from sqlserver_sandbox.tsql.bind.context import VariableValue
from sqlserver_sandbox.tsql.parse.sources import LOCKING_HINTS
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.values.storage import from_arrow


def reads_tables(node: s.SelectStatement) -> bool:
    """Whether it has a FROM: only then it begins a transaction while IMPLICIT_TRANSACTIONS is ON."""
    body = node.query.body
    return not isinstance(body, s.Select) or body.source is not None


def run_select(execution: Execution, node: s.SelectStatement) -> Iterator[Outcome]:
    if execution.variables and _reads_what_it_assigns(node):
        raise refused("SELECT @x = an expression over @x itself (joining text row by row)", line=node.line)
    session = execution.session
    for source in _locked(node.query) if _names_locking_hints(execution.text) else ():
        lock_for_writing(execution, source.name)
    bound = execution.bound(node.query)
    if bound.assigns:
        _assign(execution, bound)
        if not session.options.nocount:
            yield RowsAffected(session.rowcount, SELECT)
        return
    columns = columns_of(bound.columns)
    if session.options.fmtonly:
        yield ResultSet(columns, iter(()))
        return
    connection = execution.reading_connection()
    try:
        # The first batch is made before the columns are sent, so that most errors come in place of a result, not inside it.
        batches = _batches(execution, connection, bound.sql, columns)
        first = next(batches, None)
        yield ResultSet(columns, _counted(session, first, batches))
    finally:
        if connection is not session.connection:
            connection.close()


def _batches(
    execution: Execution, connection: Connection, sql: str, columns: tuple[Column, ...]
) -> Iterator[pa.RecordBatch]:
    if execution.context.read:
        return connection.stream(sql, columns)
    cache, key = execution.store.results, (sql, tuple(c.type for c in columns))
    known = cache.get(key)
    return cache.kept(key, connection.stream(sql, columns)) if known is None else iter(known)


@lru_cache(maxsize=256)
def _names_locking_hints(text: str) -> bool:
    """Whether the words are anywhere in the batch: in most they are not, and its queries need no look. '' is of unknown text."""
    return not text or any(word in text.upper() for word in LOCKING_HINTS)


def _locked(node: object) -> list[s.TableSource]:
    """The tables anywhere in a query whose hints lock them to the end of the transaction."""
    if isinstance(node, s.TableSource):
        return [node] if LOCKING_HINTS.intersection(node.hints) else []
    if isinstance(node, tuple):
        return [found for part in node for found in _locked(part)]
    if hasattr(node, "__dataclass_fields__"):
        return [found for name in node.__dataclass_fields__ for found in _locked(getattr(node, name))]
    return []


def _counted(
    session: SessionState, first: pa.RecordBatch | None, rest: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """The batches; @@ROWCOUNT grows with them."""
    session.rowcount = 0
    if first is None:
        return
    session.rowcount = first.num_rows
    yield first
    for batch in rest:
        session.rowcount += batch.num_rows
        yield batch


def _assign(execution: Execution, bound: BoundQuery) -> None:
    """SELECT @a = …: the last row's values, or none at all."""
    columns = columns_of(bound.columns)
    count, last = 0, None
    with execution.reading() as connection:
        for batch in connection.stream(bound.sql, columns):
            count += batch.num_rows
            last = batch if batch.num_rows else last
    execution.session.rowcount = count
    if last is None:
        return
    for name, column, array in zip(bound.assigns, columns, last.columns, strict=True):
        value = from_arrow(array[last.num_rows - 1 :], column.type)
        set_variable(execution.variables, name, VariableValue(column.type, value))


def _reads_what_it_assigns(node: s.SelectStatement) -> bool:
    body = node.query.body
    if not isinstance(body, s.Select) or body.source is None:
        return False
    assigned = {i.assign for i in body.items if i.assign is not None}
    return any(_mentions(i.expression, assigned) for i in body.items)


def _mentions(node: object, names: set[str]) -> bool:
    if isinstance(node, s.Variable):
        return not node.system and node.name in names
    if isinstance(node, tuple):
        return any(_mentions(part, names) for part in node)
    if hasattr(node, "__dataclass_fields__"):
        return any(_mentions(getattr(node, field), names) for field in node.__dataclass_fields__)
    return False
