"""Failures put between the project and a real session: batch so-and-so of statement so-and-so fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa
import pytest

from dltsync_core.connect.data import DataSession
from dltsync_core.errors import SyncError
from dltsync_core.extract.stream import RowSource


class Faulty:
    """The session's door for rows, behind which batches fail by a list: (statement, batch) from 1 -> error, once each."""

    def __init__(self, faults: dict[tuple[int, int], SyncError], during: Callable[[], None] = lambda: None) -> None:
        self.faults = faults
        self.during = during
        self.statements = 0

    def install(self, patch: pytest.MonkeyPatch) -> None:
        rows = DataSession.rows
        faulty = self

        def send(session: DataSession, statement: str, parameters: Sequence[str], doing: str) -> RowSource:
            faulty.statements += 1
            return FaultyRows(faulty, faulty.statements, rows(session, statement, parameters, doing))

        patch.setattr(DataSession, "rows", send)


class FaultyRows:
    def __init__(self, faulty: Faulty, number: int, rows: RowSource) -> None:
        self._faulty, self._number, self._rows, self._batches = faulty, number, rows, 0

    def next_batch(self, rows: int) -> pa.RecordBatch | None:
        self._batches += 1
        error = self._faulty.faults.pop((self._number, self._batches), None)
        if error is not None:
            self._faulty.during()
            raise error
        return self._rows.next_batch(rows)

    def cancel(self) -> None:
        self._rows.cancel()

    def close(self) -> None:
        self._rows.close()
