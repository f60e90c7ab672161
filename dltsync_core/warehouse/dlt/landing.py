"""Files into tables of a schema that exists for one attempt: dlt makes the tables and fills them, our transaction takes the rows
from there.

dlt's own merge and replace commit by themselves, over connections of dlt's: neither a marker nor the check of a fence could
stand in their transaction. A schema of the attempt's own is not shared with other loads, so that none of them can mix its rows
with ours."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
import pyarrow.parquet as pq

from dltsync_core.errors import FidelityError, SyncError
from dltsync_core.identity import Target, dotted
from dltsync_core.typemap.uuids import is_uuid, texts_of
from dltsync_core.warehouse.dlt.connection import DLT_TURN, DestinationDatabase, Session
from dltsync_core.warehouse.dlt.dialect import PostgresSql
from dltsync_core.warehouse.dlt.files import PIPELINE, TableFiles, give_settings, quiet, resource_of
from dltsync_core.warehouse.dlt.types import landed_schema
from dltsync_core.warehouse.port import LoadRequest

LANDING_PREFIX = "_dltsync_landing_"
"""Beginning of the names of these schemas."""
_ROWS_PER_BATCH = 65_536


@contextmanager
def landed(
    database: DestinationDatabase, session: Session, requests: Sequence[LoadRequest], directory: Path
) -> Iterator[list[Target | None]]:
    """For the block, the table with the rows of each load; None for a load without rows. The schema is dropped at the end, and by
    `sweep` when this process is killed: on PostgreSQL a lock of our connection says that it is alive.

    `directory` is an empty one of this attempt's own. Raises FidelityError for a value the destination's type does not hold,
    and what `DestinationDatabase.explained` raises.
    """
    tables = [_with_rows(request.files) for request in requests]
    if not any(tables):
        yield [None for _ in requests]
        return
    schema = f"{LANDING_PREFIX}{uuid.uuid4().hex[:16]}"
    if isinstance(session.dialect, PostgresSql):
        session.run(session.dialect.lock_until_closed("landing", schema))
    try:
        files = {
            f"load_{number}": TableFiles(
                landed_schema(request.schema), _converted(request, paths, directory / f"load_{number}")
            )
            for number, (request, paths) in enumerate(zip(requests, tables, strict=True))
            if paths
        }
        _run(database, files, schema, directory / "dlt")
        yield [(schema, f"load_{number}") if paths else None for number, paths in enumerate(tables)]
    finally:
        _drop(database, session, schema)


def _drop(database: DestinationDatabase, session: Session, schema: str) -> None:
    """Without it the next load does it. Our connection may be the one that broke."""
    try:
        with database.explained("dropping a landing schema"):
            session.drop_schema(schema)
    except SyncError:
        with suppress(SyncError), database.apart() as other:
            other.drop_schema(schema)


def sweep(session: Session) -> None:
    """Drop what killed loads left. Only where locks tell it from what is in use."""
    dialect = session.dialect
    if not isinstance(dialect, PostgresSql):
        return
    for schema in session.schemas():
        if schema.startswith(LANDING_PREFIX) and session.run(dialect.lock_if_free("landing", schema))[0][0]:
            session.drop_schema(schema)


def _with_rows(files: Sequence[Path]) -> list[Path]:
    return [path for path in files if pq.read_metadata(path).num_rows]


def _run(database: DestinationDatabase, tables: dict[str, TableFiles], schema: str, directory: Path) -> None:
    resources = [resource_of(name, table) for name, table in tables.items()]
    with DLT_TURN, quiet(), database.explained("dlt was loading"):
        give_settings()
        pipeline = dlt.pipeline(
            PIPELINE,
            pipelines_dir=str(directory),
            destination=database.destination(),
            dataset_name=schema,
            dev_mode=False,
        )
        try:
            if database.is_postgres:
                pipeline.run(resources, loader_file_format="parquet")
            else:  # what dlt prefers there
                pipeline.run(resources)
        finally:
            pipeline.deactivate()


def _converted(request: LoadRequest, files: Sequence[Path], directory: Path) -> list[Path]:
    """The files in the types that go to the destination: themselves where they have these already."""
    wanted = landed_schema(request.schema)
    found = []
    for number, path in enumerate(files):
        if _same_types(pq.read_schema(path), wanted):
            found.append(path)
            continue
        directory.mkdir(parents=True, exist_ok=True)
        found.append(directory / f"{number}.parquet")
        try:
            _convert(path, wanted, found[-1])
        except pa.ArrowInvalid as error:
            raise FidelityError(
                f"{dotted(*request.target)}: a value of the load does not fit its column in the warehouse: {error}. Nothing was "
                "written",
                remedy="set column_representation of the column to `text`, or exclude it",
                table=dotted(*request.target),
            ) from error
    return found


def _convert(path: Path, wanted: pa.Schema, to: Path) -> None:
    with pq.ParquetFile(path) as parquet, pq.ParquetWriter(to, wanted, version="2.6") as writer:
        for batch in parquet.iter_batches(_ROWS_PER_BATCH, columns=wanted.names):
            arrays = [_as_texts(batch.column(field.name)).cast(field.type, safe=True) for field in wanted]
            writer.write_batch(pa.record_batch(arrays, schema=wanted))


def _as_texts(values: pa.Array[Any]) -> Any:
    return texts_of(values) if is_uuid(values.type) else values


def _same_types(one: pa.Schema, other: pa.Schema) -> bool:
    return one.names == other.names and all(a.type == b.type for a, b in zip(one, other, strict=True))
