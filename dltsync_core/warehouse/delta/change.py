"""The files of a table after some loads: computed from those before, one load after the other, before anything is committed.

A file is never changed. One that has rows which a load replaces leaves the table, and its other rows are written into a new
one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq
from duckdb import DuckDBPyConnection

from dltsync_core.duckdb import sql as q
from dltsync_core.duckdb.column_stats import ROWS_PER_BATCH, arrow_reader
from dltsync_core.plan.steps import MergeKeys, ReplaceScope, ReplaceTable, UpsertKeys
from dltsync_core.warehouse.delta.data_files import Bounds, DataFile, write_file
from dltsync_core.warehouse.delta.pruning import may_share_keys, pruned
from dltsync_core.warehouse.delta.query import condition_in, count, relation, time_column
from dltsync_core.warehouse.delta.snapshot import Snapshot
from dltsync_core.warehouse.delta.store import TableDirectory
from dltsync_core.warehouse.port import LoadRequest

_GIVEN = "given"


class TableChange:
    """What a commit will remove and add. `new_path` names the next file of this attempt; `schema` is the table's."""

    def __init__(
        self,
        connection: DuckDBPyConnection,
        directory: TableDirectory,
        before: Snapshot | None,
        schema: pa.Schema,
        new_path: Callable[[], str],
    ) -> None:
        self._connection = connection
        self._directory = directory
        self._before = before
        self._schema = schema
        self._new_path = new_path
        self._held = {each.path: each for each in before.files} if before is not None else {}
        self._committed = frozenset(self._held)
        self._removed: dict[str, DataFile] = {}
        self.rewritten: list[str] = []
        """Files that were written to hold rows which stay."""

    @property
    def removed(self) -> list[DataFile]:
        """Files of the version before that are no part of the next."""
        return [each for path, each in self._removed.items() if path in self._committed]

    @property
    def added(self) -> list[DataFile]:
        """Files that come."""
        return [each for path, each in self._held.items() if path not in self._committed]

    def apply(self, request: LoadRequest, files: Sequence[DataFile]) -> int:
        """Let a load's rows, which are in `files`, replace those that it replaces. The rows of its unit afterwards."""
        how = request.disposition
        if isinstance(how, ReplaceScope):
            self._remove_scope(how)
        elif isinstance(how, ReplaceTable):
            for each in list(self._held.values()):
                self._remove(each)
        elif files:
            self._remove_keys(how, files)
        self._held.update({each.path: each for each in files})
        if not isinstance(how, ReplaceScope):
            return sum(self._rows_of(each) for each in self._held.values())
        return self._count(files, how)  # no other file has rows of the scope any more

    def _remove_scope(self, scope: ReplaceScope) -> None:
        found = pruned(self._connection, scope, list(self._held.values()), self._bounds(scope.column.name))
        for each in found.wholly:
            self._remove(each)
        condition = condition_in(scope)
        for each in found.perhaps:
            rows = self._relation([each], scope_column=time_column(scope))
            self._keep_rest(each, count(self._connection, rows, condition), rows, q.without(condition))

    def _remove_keys(self, how: MergeKeys | UpsertKeys, files: Sequence[DataFile]) -> None:
        given = self._relation(files, name=_GIVEN)
        columns = {column: self._bounds(column) for column in how.columns}
        for each in list(self._held.values()):
            mine = {column: bounds.get(each.path) for column, bounds in columns.items()}
            if not any(may_share_keys(mine, new.bounds, how.columns) for new in files):
                continue
            held = self._relation([each])
            same = count(self._connection, q.with_keys_of(held, given, how.columns))
            self._keep_rest(each, same, q.without_keys_of(held, given, how.columns), q.EVERYTHING)

    def _keep_rest(self, each: DataFile, leaving: int, rows: str, condition: str) -> None:
        """Remove a file of which so many rows leave, and write the others, which meet the condition, into a new one."""
        if not leaving:
            return
        self._remove(each)
        if leaving == self._rows_of(each):
            return
        path = self._new_path()
        self.rewritten.append(path)
        statement = q.read(rows, self._schema.names, condition)
        rest = write_file(self._directory, path, self._schema, self._batches(statement))
        if rest is not None:
            self._held[rest.path] = rest

    def _batches(self, statement: str) -> Iterator[pa.RecordBatch]:
        for batch in arrow_reader(self._connection.sql(statement), ROWS_PER_BATCH // 4):
            yield batch.cast(self._schema)

    def _remove(self, each: DataFile) -> None:
        del self._held[each.path]
        self._removed[each.path] = each

    def _count(self, files: Sequence[DataFile], scope: ReplaceScope) -> int:
        if not files:
            return 0
        rows = self._relation(files, name=_GIVEN, scope_column=time_column(scope))
        return count(self._connection, rows, condition_in(scope))

    def _relation(self, files: Sequence[DataFile], *, name: str = "held", scope_column: str | None = None) -> str:
        return relation(self._connection, self._directory, files, self._schema, name=name, scope_column=scope_column)

    def _bounds(self, column: str) -> dict[str, Bounds]:
        """By the table's name of the column, which may differ in case."""
        name = next((each for each in self._schema.names if each.casefold() == column.casefold()), column)
        known = self._before.bounds(name) if self._before is not None else {}
        ours = {each.path: each.bounds[name] for each in self._held.values() if name in each.bounds}
        return {**known, **ours}

    def _rows_of(self, each: DataFile) -> int:
        if each.rows is not None:
            return each.rows
        with self._directory.filesystem.open_input_file(each.path) as stream:
            return int(pq.read_metadata(stream).num_rows)
