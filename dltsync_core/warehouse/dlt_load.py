"""One load through dlt: its own working directory, its own staging schema, nothing left of either."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import dlt
import pyarrow.parquet as pq
from dlt.common.schema.typing import TColumnSchema
from dlt.pipeline.exceptions import PipelineStepFailed
from duckdb import DuckDBPyConnection

from dltsync_core.errors import DiskFull, DriftError, NotWritable, SyncError, WarehouseError
from dltsync_core.identity import digest_of, dotted, identifier_part, joined
from dltsync_core.warehouse.columns import hints_of
from dltsync_core.warehouse.dlt_destination import FullNames, disguised_text, travel_name
from dltsync_core.warehouse.dlt_settings import our_settings
from dltsync_core.warehouse.port import (
    Disposition,
    LoadRequest,
    MergeKeys,
    ReplaceScope,
    ReplaceTable,
    Target,
    UpsertKeys,
)
from dltsync_core.warehouse.scope import duckdb_condition


@dataclass(frozen=True)
class Place:
    """Where one load goes and works. `target` is in the warehouse's own spelling."""

    catalog: str
    target: Target
    staging_schema: str
    working_directory: Path
    pipeline: str

    @property
    def dlt_pipeline(self) -> str:
        """The name dlt records loads under."""
        return identifier_part(self.pipeline)

    @property
    def dlt_schema(self) -> str:
        """The name of dlt's schema for this table: one per table, so that tables do not disturb each other's."""
        return f"dltsync_{digest_of(joined(self.pipeline, *self.target, separator=chr(0)))[:12]}"


def load_with_dlt(connection: DuckDBPyConnection, request: LoadRequest, place: Place) -> None:
    """Bring the files in, by dlt's file import: it links the files, writes no row itself, and leaves the SQL to DuckDB.

    Everything happens in the transaction that is open on `connection`. Raises WarehouseError, DriftError (a value does
    not fit the table), DiskFull or NotWritable. The caller drops the staging schema, ends the transaction and removes the working
    directory.
    """
    schema_name, table = place.target
    name = travel_name(table)
    with our_settings():
        pipeline = dlt.pipeline(
            pipeline_name=place.dlt_pipeline,
            pipelines_dir=str(place.working_directory),
            destination=FullNames(
                connection, catalog=place.catalog, real_names={name: table}, staging_schema=place.staging_schema
            ),
            dataset_name=schema_name,
        )
        try:
            pipeline.run(_resource(request, name), schema=dlt.Schema(place.dlt_schema), loader_file_format="parquet")
        except PipelineStepFailed as error:
            raise _explained(error, request.target) from error
        finally:
            pipeline.deactivate()


def _resource(request: LoadRequest, name: str) -> Any:
    files = [dlt.mark.with_file_import(str(path), "parquet", pq.read_metadata(path).num_rows) for path in request.files]
    hints = cast("dict[str, TColumnSchema]", hints_of(request.schema, request.hints))
    return dlt.resource(files, name=name, columns=hints, **_written(request.disposition))


def _written(disposition: Disposition) -> Mapping[str, Any]:
    """How dlt is to write. Never append: after a crash it would double rows."""
    if isinstance(disposition, ReplaceTable):
        return {"write_disposition": "replace"}
    if isinstance(disposition, ReplaceScope):
        condition = disguised_text(duckdb_condition(disposition))
        merge = {"disposition": "merge", "strategy": "delete-insert", "destination_scope": condition}
        return {"write_disposition": merge}
    if isinstance(disposition, MergeKeys):
        return {
            "write_disposition": {"disposition": "merge", "strategy": "delete-insert"},
            "primary_key": list(disposition.columns),
        }
    if isinstance(disposition, UpsertKeys):
        return {
            "write_disposition": {"disposition": "merge", "strategy": "upsert"},
            "primary_key": list(disposition.columns),
        }
    raise TypeError(f"unknown disposition {disposition!r}")


def _explained(error: PipelineStepFailed, target: Target) -> SyncError:
    """Our error for dlt's: the cause it found, without the advice about packages that we do not keep."""
    cause: BaseException = error
    while (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    message = str(cause).strip() or type(cause).__name__
    table = dotted(*target)
    if any(sign in message.lower() for sign in ("no space left", "disk quota", "file too large")):
        return DiskFull(
            f"no room left on the disk while loading {table} into the warehouse: {message}",
            remedy="free some space or move the warehouse to a larger disk, then run again; the table is as it was",
            table=table,
        )
    if "permission denied" in message.lower() or "read-only file system" in message.lower():
        return NotWritable(f"the warehouse cannot be written while loading {table}: {message}", table=table)
    if "conversion error" in message.lower():
        return DriftError(
            f"{table} has a column in the warehouse that cannot hold a value of this load: {message}. Nothing was written to the "
            "warehouse",
            remedy="drop the warehouse table, or choose another target_table, and run with --full-refresh",
            table=table,
        )
    return WarehouseError(
        f"loading {table} into the warehouse failed at dlt's step {error.step!r}: {message}",
        remedy="the table is as it was before this load; correct what the message names and run again",
        table=table,
    )
