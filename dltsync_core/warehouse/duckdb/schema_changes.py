"""Let an existing DuckDB table admit a load of another shape: asked first, then done inside the load's transaction."""

from __future__ import annotations

import duckdb
import pyarrow as pa
from duckdb import DuckDBPyConnection

from dltsync_core.display import number_of
from dltsync_core.duckdb import sql as q
from dltsync_core.identity import Target
from dltsync_core.warehouse.duckdb.catalog import columns_of, find_table
from dltsync_core.warehouse.duckdb.evolution import Evolution, changed_shape, plan_evolution


def check_reshaping(connection: DuckDBPyConnection, catalog: str, target: Target, schema: pa.Schema) -> Evolution:
    """What has to change so that the load fits; nothing for a table that is not there yet. Writes nothing.

    Raises DriftError: for a type nothing can be widened to, and for a value that would not stay exactly what it is. Whether
    one would not is computed by DuckDB over the whole column, there and back; a column that keeps its type costs nothing.
    """
    found = find_table(connection, catalog, target)
    if found is None:
        return Evolution()
    evolution = plan_evolution(found, columns_of(connection, catalog, found), schema)
    spelt = {new: old for old, new in evolution.renamed}
    lossy = []
    for column, held, wider in evolution.widened:
        try:
            query = q.count_inexact(catalog, found, spelt.get(column, column), held, wider)
            (count,) = connection.execute(query).fetchone() or (0,)
        except duckdb.ConversionException as error:  # some casts raise even when they are only tried
            lossy.append(f"{column} holds values as {held} that {wider} cannot hold ({error})")
            continue
        if count:
            lossy.append(f"{column} holds {number_of(count, 'value')} as {held} that {wider} cannot hold")
    if lossy:
        raise changed_shape(found, lossy)
    return evolution


def reshape(connection: DuckDBPyConnection, catalog: str, target: Target, schema: pa.Schema) -> None:
    """Do it. Raises what `check_reshaping` raises, before anything happens."""
    evolution = check_reshaping(connection, catalog, target, schema)
    statements = [
        *(q.rename_column(catalog, target, old, new) for old, new in evolution.renamed),
        *(q.change_type(catalog, target, column, wider) for column, _, wider in evolution.widened),
        *(q.allow_null(catalog, target, column) for column in evolution.relaxed),
        *(q.add_column(catalog, target, column, kind) for column, kind in evolution.added),
    ]
    for statement in statements:
        connection.execute(statement)
