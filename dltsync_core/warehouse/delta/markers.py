"""The markers of a table's loads: all of them in one file, which the log names.

A commit of rows carries, as `txn` actions of the Delta log, the name of the file with the markers that are true from then
on. The file is written before: whoever sees the rows sees a name of a file that is there. A file that no commit named is of
no meaning, and is removed. `txn` actions outlive checkpoints and the log's expiry, which what a commit says besides does not.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dltsync_core.committed import Marker
from dltsync_core.identity import Target
from dltsync_core.warehouse.delta.snapshot import MarkersAt, Snapshot
from dltsync_core.warehouse.delta.store import TableDirectory
from dltsync_core.warehouse.marker_rows import VOIDED, marker_from, marker_row, refuse_late_writer, voided_by

DIRECTORY = "_dltsync/markers"


class TableMarkers:
    """The markers of one table: (pipeline, unit) and row."""

    def __init__(self, rows: dict[tuple[str, str], dict[str, Any]]) -> None:
        self._rows = rows

    def of(self, pipeline: str) -> dict[str, Marker]:
        """By unit."""
        return {unit: marker_from(row) for (named, unit), row in self._rows.items() if named == pipeline}

    def check_fence(self, marker: Marker) -> None:
        """Raises Fenced when a writer with a higher fence has been at the unit."""
        row = self._rows.get((marker.pipeline, marker.unit))
        refuse_late_writer(None if row is None else marker_from(row), marker)

    def put(self, target: Target, marker: Marker, rows: int, retires: Sequence[str]) -> None:
        """The marker of a load that brought in so many rows, in the place of the unit's last one; those of `retires` leave, and
        those of other pipelines become void."""
        for unit in (marker.unit, *retires):
            self._rows.pop((marker.pipeline, unit), None)
        self._rows[marker.pipeline, marker.unit] = marker_row(replace(marker, rows=rows), target)
        for key in voided_by(marker, list(self._rows)):
            self._rows[key] |= dict(zip(VOIDED, (marker.load_id, "", None), strict=True))

    def content(self) -> bytes:
        return gzip.compress(json.dumps(list(self._rows.values()), ensure_ascii=False).encode(), mtime=0)


def read_markers(snapshot: Snapshot | None) -> TableMarkers | None:
    """The markers of a version; None when their file is gone, as it is when another commit has followed. Of a table that has
    none: no markers."""
    at = None if snapshot is None else snapshot.markers_at
    if snapshot is None or at is None:
        return TableMarkers({})
    content = snapshot.directory.read(at.path)
    if content is None:
        return None
    rows = json.loads(gzip.decompress(content))
    return TableMarkers({(str(row["pipeline"]), str(row["unit"])): row for row in rows})


def write_markers(directory: TableDirectory, at: MarkersAt, markers: TableMarkers) -> None:
    directory.write(at.path, markers.content())


def remove_older(directory: TableDirectory, at: MarkersAt | None) -> None:
    """Remove the files of earlier versions, and of attempts that lost. An attempt at work numbers its file at least as high as
    `at`, which is committed."""
    if at is None:
        return
    first = f"{DIRECTORY}/{at.sequence:020d}-"
    directory.delete([path for path in directory.names(DIRECTORY) if path < first])
