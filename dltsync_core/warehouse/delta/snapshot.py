"""A Delta table at one version: its columns, its files with what the log says of their values, and the commit of the next
version.

A commit of ours is only taken as the version right after the one it was computed from (`max_commit_retries=0`). delta-rs would
otherwise write it at a later version when its own rules see no conflict, and these know nothing of markers and fences.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pyarrow as pa

from dltsync_core.errors import WarehouseError
from dltsync_core.identity import Target, dotted
from dltsync_core.warehouse.delta.data_files import Bounds, DataFile
from dltsync_core.warehouse.delta.store import TableDirectory, deltalake
from dltsync_core.warehouse.delta.types import warehouse_column
from dltsync_core.warehouse.duckdb.evolution import WarehouseColumn

_SEQUENCE, _KEY = "dltsync", "dltsync.markers"
"""Applications of the log's `txn` actions, of which a table remembers the last of each, checkpoints included."""
_ATTEMPT = "dltsync.attempt"
_ENTRY = re.compile(r"_delta_log/\d{20}\.json")
_READER_FEATURES = {"timestampNtz", "v2Checkpoint"}
_WRITER_FEATURES = {*_READER_FEATURES, "appendOnly", "invariants", "changeDataFeed", "domainMetadata"}
"""Features of the Delta protocol under which a file is what its Parquet says, and may be added without more."""


class Overtaken(Exception):
    """Another commit became the version that ours was to be. Nothing of ours is part of the table."""


@dataclass(frozen=True)
class MarkersAt:
    """Which file has the markers of a version. `sequence` is one more with every commit that changes them; `key` is by
    chance, so that the files of two attempts at one commit differ."""

    sequence: int
    key: int

    @property
    def path(self) -> str:
        return f"_dltsync/markers/{self.sequence:020d}-{self.key:016x}.json.gz"


@dataclass(frozen=True)
class Commit:
    """The changes of one commit: files that leave and files that come. `markers` is the file with the markers that are true
    from then on; None leaves those that are."""

    removed: Sequence[DataFile]
    added: Sequence[DataFile]
    markers: MarkersAt | None
    attempt: str


@dataclass(frozen=True)
class Snapshot:
    """A table at a version. `table` is delta-rs's."""

    target: Target
    directory: TableDirectory
    table: Any = field(repr=False)

    @property
    def version(self) -> int:
        return int(self.table.version())

    @cached_property
    def schema(self) -> pa.Schema:
        return pa.schema(self.table.schema().to_arrow())

    @cached_property
    def types(self) -> dict[str, str]:
        """Delta's names of the types, by column in order."""
        return {each.name: _type_name(each.type) for each in self.table.schema().fields}

    @property
    def columns(self) -> list[WarehouseColumn]:
        """The columns by DuckDB's type names."""
        nullable = {each.name: bool(each.nullable) for each in self.table.schema().fields}
        return [warehouse_column(name, kind, nullable=nullable[name]) for name, kind in self.types.items()]

    @cached_property
    def _adds(self) -> pa.Table:
        return pa.table(self.table.get_add_actions(flatten=True))

    @cached_property
    def files(self) -> list[DataFile]:
        """The files whose rows are those of the table."""
        adds = self._adds
        rows = adds.column("num_records").to_pylist() if "num_records" in adds.column_names else [None] * len(adds)
        sizes: list[Any] = adds.column("size_bytes").to_pylist()
        found = zip(adds.column("path").to_pylist(), sizes, rows, strict=True)
        return [DataFile(str(path), int(size), count) for path, size, count in found]

    def bounds(self, column: str) -> dict[str, Bounds]:
        """What the log says of a column's values, by the path of the file; files of which it says nothing are left out."""
        adds = self._adds
        named = [f"{prefix}.{column}" for prefix in ("min", "max", "null_count")]
        if not set(named) <= set(adds.column_names):
            return {}
        values = zip(*(adds.column(name).to_pylist() for name in ("path", *named)), strict=True)
        return {path: Bounds(low, high, nulls) for path, low, high, nulls in values if nulls is not None}

    @property
    def markers_at(self) -> MarkersAt | None:
        """The file with the markers; None before the first load with one."""
        sequence, key = self.table.transaction_version(_SEQUENCE), self.table.transaction_version(_KEY)
        return None if sequence is None or key is None else MarkersAt(int(sequence), int(key))

    def next_markers(self) -> MarkersAt:
        return next_markers(self.markers_at)

    def add_columns(self, fields: Sequence[pa.Field[Any]]) -> None:
        """Columns that admit NULL, in a commit of their own. Raises Overtaken."""
        schema = deltalake().Schema.from_arrow(pa.schema(fields))
        try:
            self.table.alter.add_columns(list(schema.fields), commit_properties=_properties(None, {}))
        except deltalake().exceptions.DeltaError as error:
            self._raise_if_overtaken(error)
            raise

    def commit(self, commit: Commit) -> None:
        """Make it the next version. Raises Overtaken when another one is that."""
        package, actions = deltalake("transaction"), [_add_action(each) for each in commit.added]
        removed_at = int(time.time() * 1000)
        actions += [package.RemoveAction(each.path, True, removed_at, each.size, {}) for each in commit.removed]
        try:
            self.table.create_write_transaction(
                actions, "append", self.table.schema(), commit_properties=_properties(commit.markers, _said(commit))
            )
        except deltalake().exceptions.DeltaError as error:
            if not _is_committed(self.directory, commit, self.version):
                self._raise_if_overtaken(error)
                raise

    def _raise_if_overtaken(self, error: Exception) -> None:
        now = self.directory.table()
        if now is None or int(now.version()) != self.version:
            raise Overtaken(str(error)) from error

    def check_features(self) -> None:
        """Raises WarehouseError for a table whose rows are not simply those of its files, or that asks its writers for more."""
        protocol, metadata = self.table.protocol(), self.table.metadata()
        found = set(protocol.reader_features or ()) - _READER_FEATURES
        found |= set(protocol.writer_features or ()) - _WRITER_FEATURES
        found |= {name for name in metadata.configuration if name.startswith("delta.constraints.")}
        found |= {f"partitioned by {name}" for name in metadata.partition_columns}
        if metadata.configuration.get("delta.columnMapping.mode", "none") != "none":
            found.add("columnMapping")
        if found:
            raise WarehouseError(
                f"{dotted(*self.target)}: the Delta table was made or changed by another program, and dltsync does not load into "
                f"one with these features: {', '.join(sorted(found))}",
                remedy="choose another target_table or target_schema, or make the table without",
            )


def snapshot_of(target: Target, directory: TableDirectory) -> Snapshot | None:
    """The table as it is now; None when there is none. Raises WarehouseError for features of another program."""
    table = directory.table()
    if table is None:
        return None
    found = Snapshot(target, directory, table)
    found.check_features()
    return found


def create(directory: TableDirectory, schema: pa.Schema, commit: Commit) -> None:
    """The table, with its first rows and markers in its first commit. Raises Overtaken when there is one."""
    try:
        directory.create_table(
            deltalake().Schema.from_arrow(schema),
            [_add_action(each) for each in commit.added],
            _properties(commit.markers, _said(commit)),
        )
    except deltalake().exceptions.DeltaError as error:
        if not _is_committed(directory, commit, -1):
            if directory.table() is not None:
                raise Overtaken(str(error)) from error
            raise


def next_markers(markers: MarkersAt | None) -> MarkersAt:
    return MarkersAt(1 if markers is None else markers.sequence + 1, secrets.randbits(62))


def is_attempt_committed(directory: TableDirectory, attempt: str, since: int = 0) -> bool:
    """Whether the log has a commit of an attempt, at this version or a later one. Reads these parts of the log, but for those
    that have expired. (deltalake's `history` holds Python's lock while it waits for an object store.)"""
    entries = [name for name in directory.names("_delta_log") if _ENTRY.fullmatch(name)]
    later = [name for name in entries if name >= f"_delta_log/{since:020d}"]
    return any(attempt.encode() in (directory.read(name) or b"") for name in later)


def _is_committed(directory: TableDirectory, commit: Commit, before: int) -> bool:
    """Whether a commit that reported a failure is one of the versions since: an answer can be lost, and what follows a
    commit can fail."""
    return is_attempt_committed(directory, commit.attempt, before + 1)


def _add_action(each: DataFile) -> Any:
    return deltalake("transaction").AddAction(each.path, each.size, {}, int(time.time() * 1000), True, each.stats)


def _said(commit: Commit) -> dict[str, Any]:
    return {_ATTEMPT: commit.attempt, "isBlindAppend": False}


def _properties(markers: MarkersAt | None, said: Mapping[str, Any]) -> Any:
    package, transaction = deltalake(), deltalake("transaction").Transaction
    noted = [] if markers is None else [transaction(_SEQUENCE, markers.sequence), transaction(_KEY, markers.key)]
    return package.CommitProperties(
        custom_metadata=dict(said) or None, max_commit_retries=0, app_transactions=noted or None
    )


def _type_name(kind: Any) -> str:
    """Delta's name of a type: `decimal(9,2)`, and of a nested one its text."""
    name = getattr(kind, "type", None)
    return name if isinstance(name, str) and name not in {"struct", "array", "map"} else str(kind)
