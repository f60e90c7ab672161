"""Results of statements that read no table: their DuckDB text holds all that they depend on, the rows of system views too."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import TypeAlias

import pyarrow as pa

from sqlserver_sandbox.model import SqlType

KEPT = 256
ROWS = 2_000
_VOLATILE = "uuid()"
"""NEWID(): the only function that DuckDB works out anew. Times of day and the session's facts are constants of the text."""
Key: TypeAlias = "tuple[str, tuple[SqlType, ...]]"
"""DuckDB text, and the declared types of its columns."""


class ResultCache:
    """Shared by all sessions. Planning such a statement costs DuckDB more than answering it: a client asks for the same facts of
    the catalogue at every run, and the text is another one as soon as one of the facts is."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._results: OrderedDict[Key, tuple[pa.RecordBatch, ...]] = OrderedDict()

    def get(self, key: Key) -> tuple[pa.RecordBatch, ...] | None:
        """The batches of a statement that was answered before."""
        with self._mutex:
            found = self._results.get(key)
            if found is not None:
                self._results.move_to_end(key)
            return found

    def kept(self, key: Key, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The same batches; a result of few rows that was read to its end is kept."""
        seen: list[pa.RecordBatch] = []
        rows = 0
        for batch in batches:
            rows += batch.num_rows
            if rows <= ROWS:
                seen.append(batch)
            yield batch
        if rows <= ROWS and _VOLATILE not in key[0]:
            with self._mutex:
                self._results[key] = tuple(seen)
                if len(self._results) > KEPT:
                    self._results.popitem(last=False)
