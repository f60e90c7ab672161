"""Loads into one Delta table, in one commit: rows and markers together, or neither.

1. The rows of each load are written into files of their own, which are part of no table yet.
2. The table is read as it is now: its fences are compared, and the files that the loads replace are determined. The rows of
these that stay are written anew. Then the file with the markers is written.
3. All that is committed as the next version. When another commit became that version in between, step 2 is done again: a later
   writer is then seen by its fence.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from dltsync_core import checkpoints
from dltsync_core.clock import utc_now
from dltsync_core.config.memory_budget import DuckDbMemory
from dltsync_core.errors import WarehouseBusy
from dltsync_core.identity import Target, dotted
from dltsync_core.waiting import Blocked, Wait
from dltsync_core.warehouse.delta.attempts import Attempt, remove_left_behind
from dltsync_core.warehouse.delta.change import TableChange
from dltsync_core.warehouse.delta.data_files import DataFile, write_file
from dltsync_core.warehouse.delta.markers import TableMarkers, read_markers, write_markers
from dltsync_core.warehouse.delta.query import querying
from dltsync_core.warehouse.delta.snapshot import Commit, Overtaken, Snapshot, create, next_markers, snapshot_of
from dltsync_core.warehouse.delta.store import TableDirectory
from dltsync_core.warehouse.delta.types import converted, delta_schema, delta_type, written_schema
from dltsync_core.warehouse.duckdb.evolution import changed_shape, plan_evolution
from dltsync_core.warehouse.port import LoadRequest

_PAUSES = (0.02, 0.4)
"""Seconds between two tries, by chance, so that two writers do not keep step."""


class _Behind(Blocked):
    """The table moved on while this load was computed."""


@dataclass(frozen=True)
class TableState:
    """A table as one version has it, with its markers."""

    snapshot: Snapshot | None
    markers: TableMarkers


def read_state(target: Target, directory: TableDirectory) -> TableState:
    """The newest version. Its file of markers is removed when another version follows: then that one is read. Markers that
    somebody removed are none, so that their units are loaded again."""
    snapshot = snapshot_of(target, directory)
    while (markers := read_markers(snapshot)) is None:
        again = snapshot_of(target, directory)
        if again is not None and snapshot is not None and again.version == snapshot.version:
            return TableState(again, TableMarkers({}))
        snapshot = again
    return TableState(snapshot, markers)


def new_columns(target: Target, snapshot: Snapshot, schema: pa.Schema) -> list[pa.Field[pa.DataType]]:
    """The columns that a table lacks for a load of this schema. Raises DriftError: a type that does not hold the load's
    values exactly, and a column that does not admit NULL, stay what they are in a Delta table."""
    landed = pa.schema([pa.field(each.name, delta_type(each.type), each.nullable) for each in schema])
    evolution = plan_evolution(target, snapshot.columns, landed)
    changed = [f"{name} is {held} in the warehouse and needs {wider}" for name, held, wider in evolution.widened]
    changed += [f"{name} does not admit NULL in the warehouse" for name in evolution.relaxed]
    if changed:
        raise changed_shape(target, changed)
    added = {name for name, _ in evolution.added}
    return [field for field in delta_schema(schema) if field.name in added]


class TableLoad:
    """Loads of one table, of one schema, in the order given."""

    def __init__(self, directory: TableDirectory, requests: Sequence[LoadRequest], memory: DuckDbMemory) -> None:
        self._directory = directory
        self._requests = requests
        self._memory = memory
        self._target = requests[0].target
        self._schema = requests[0].schema
        self._attempt = Attempt(directory)
        self._written: tuple[pa.Schema, list[list[DataFile]]] | None = None
        self._committing = False
        self._in_table: frozenset[str] = frozenset()

    def run(self, *, timeout_seconds: float, on_wait: Callable[[str], None]) -> None:
        """Raises Fenced, DriftError, FidelityError, WarehouseBusy, and what deltalake and DuckDB raise."""
        self._attempt.begin()
        try:
            wait = Wait(timeout_seconds, on_wait=on_wait)
            wait.until(self._try, _Behind, pause=_pause(), give_up=self._busy)
        except BaseException:
            if not self._committing:  # whether a commit that failed is there may be unknown: the next load finds out
                self._directory.delete(self._attempt.paths)
                self._attempt.end()
            raise
        checkpoints.reached(checkpoints.WAREHOUSE_COMMITTED)
        self._directory.delete([path for path in self._attempt.paths if path not in self._in_table])
        self._attempt.end()

    def _try(self) -> None:
        try:
            self._commit_once()
        except Overtaken as error:
            self._committing = False
            raise _Behind(f"the warehouse table {dotted(*self._target)}", "other loads commit to it") from error

    def _commit_once(self) -> None:
        state = read_state(self._target, self._directory)
        remove_left_behind(self._directory, state.snapshot, now=utc_now())
        for request in self._requests:
            if request.marker is not None:
                state.markers.check_fence(request.marker)
        if state.snapshot is not None:
            added = new_columns(self._target, state.snapshot, self._schema)
            if added:
                state.snapshot.add_columns(added)
                checkpoints.reached(checkpoints.WAREHOUSE_EVOLVED)
                state = read_state(self._target, self._directory)
        schema = state.snapshot.schema if state.snapshot is not None else delta_schema(self._schema)
        files = self._files(schema)
        checkpoints.reached(checkpoints.WAREHOUSE_STATEMENT)
        with querying(self._memory) as connection:
            change = TableChange(connection, self._directory, state.snapshot, schema, self._attempt.new_path)
            try:
                self._commit(state, schema, change, files)
            except Overtaken:
                self._directory.delete(change.rewritten)
                raise

    def _files(self, schema: pa.Schema) -> list[list[DataFile]]:
        """The files of each load. Written once, unless the table's columns change meanwhile."""
        if self._written is not None and self._written[0].equals(schema):
            return self._written[1]
        if self._written is not None:
            self._directory.delete([each.path for files in self._written[1] for each in files])
        wanted = written_schema(schema, self._schema)
        found = []
        for request in self._requests:
            batches = converted(self._target, request.files, wanted)
            made = (write_file(self._directory, self._attempt.new_path(), wanted, each) for each in batches)
            found.append([each for each in made if each is not None])
        self._written = schema, found
        return found

    def _commit(
        self, state: TableState, schema: pa.Schema, change: TableChange, files: Sequence[Sequence[DataFile]]
    ) -> None:
        for request, written in zip(self._requests, files, strict=True):
            rows = change.apply(request, written)
            if request.marker is not None:
                state.markers.put(self._target, request.marker, rows, request.retires)
        markers_at = None
        if any(request.marker is not None for request in self._requests):
            markers_at = next_markers(state.snapshot.markers_at if state.snapshot is not None else None)
            write_markers(self._directory, markers_at, state.markers)
        commit = Commit(change.removed, change.added, markers_at, self._attempt.name)
        checkpoints.reached(checkpoints.WAREHOUSE_WRITTEN)
        self._committing = True
        if state.snapshot is None:
            create(self._directory, schema, commit)
        else:
            state.snapshot.commit(commit)
        self._committing = False
        self._in_table = frozenset(each.path for each in commit.added)

    def _busy(self, behind: _Behind) -> WarehouseBusy:
        return WarehouseBusy(
            f"waited too long for {behind}",
            remedy="run again when fewer loads of the table are at work, or raise destination.lock_timeout_seconds",
        )


def _pause() -> float:
    return random.uniform(*_PAUSES)  # noqa: S311 -- nothing secret
