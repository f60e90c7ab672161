"""The ledger: what happened to every load, and which load each unit stands at. Commits are compare-and-set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from dltsync_core.clock import iso
from dltsync_core.committed import CommitChange, CommittedUnits
from dltsync_core.errors import Fenced, StateConflict
from dltsync_core.identity import TableName
from dltsync_core.state.lease_rows import Lease, end_lease, parts_of, verify_lease
from dltsync_core.state.records import (
    LoadEvent,
    LoadStatus,
    committed_unit_from,
    event_from,
    event_row,
    unit_values,
)
from dltsync_core.state.store import Store
from dltsync_core.state.tables import committed_units, loads, unit_key

_FAILED = LoadStatus.FAILED.value
_SUCCESSES = (LoadStatus.COMMITTED.value, LoadStatus.SKIPPED.value)
_NAMING_AN_EVENT = ("pipeline", "unit_key", "load_id", "run_id", "status", "at")


class Ledger:
    """The ledger of one pipeline in a `store`. Thread-safe; processes may share it.

    Every method raises StateError when the store cannot be used, LedgerUnavailable when it is away for longer than the store's
    patience lasts. A store opened for planning reads as empty when there is
    none, and refuses to write.
    """

    def __init__(self, store: Store, pipeline: str) -> None:
        self.store = store
        self._pipeline = pipeline

    @property
    def described(self) -> str:
        """Where the ledger is, without secrets."""
        return self.store.described

    def record(self, *events: LoadEvent) -> None:
        """Append events, all or none, each once."""
        if not events:
            return

        def attempt(again: bool) -> None:
            with self.store.writing() as connection:
                if not (again and self._are_written(connection, events)):
                    connection.execute(sa.insert(loads), [event_row(self._pipeline, event) for event in events])

        self.store.patience.kept(attempt)

    def commit(
        self,
        table: TableName,
        changes: Sequence[CommitChange],
        events: Sequence[LoadEvent] = (),
        *,
        lease: Lease | None = None,
        give_back: bool = False,
    ) -> None:
        """Put and remove committed units of one table in one transaction, with the events that tell of it.

        Each unit must still be at the generation the change expects, else nothing at all is written and StateConflict is
        raised; and the `lease`, when one is given, must still be held (Fenced). With `give_back` it ends with this transaction.
        The stored generation is the expected one plus one, whatever `committed unit.generation` says. A commit that was not
        answered is tried again; when that finds the units changed, or the lease gone, it is looked whether it was by the attempt
        before.
        """

        def attempt(again: bool) -> None:
            try:
                with self.store.writing() as connection:
                    if lease is not None:
                        verify_lease(connection, lease, self._pipeline)
                    for change in sorted(
                        changes, key=lambda change: change.unit
                    ):  # one order for all: no crosswise wait
                        self._compare_and_set(connection, table, change)
                    if events:
                        connection.execute(sa.insert(loads), [event_row(self._pipeline, event) for event in events])
                    if lease is not None and give_back:
                        end_lease(connection, lease, self._pipeline)
            except (StateConflict, Fenced):
                if not (again and self._took_effect(table, changes, events)):
                    raise

        self.store.patience.kept(attempt)

    def committed_units(self, table: TableName) -> CommittedUnits:
        """Live committed units and generations of one table, spelt exactly so."""
        return self.committed_units_of([table])[table]

    def committed_units_of(self, tables: Sequence[TableName]) -> dict[TableName, CommittedUnits]:
        """Live committed units and generations of each of these tables, in one transaction."""
        rows: dict[tuple[str, str, str], list[sa.Row[Any]]] = {}
        names = sorted({table.table for table in tables})
        if self.store.exists:
            for row in self.store.read(lambda connection: self._of_tables_called(connection, names)):
                rows.setdefault((row.pipeline, row.schema_name, row.table_name), []).append(row)
        # By the exact name: a store on SQL Server, made before its columns had a collation of their own, may take others for it.
        found = {table: rows.get((self._pipeline, table.schema, table.table), []) for table in tables}
        return {
            table: CommittedUnits(
                live={row.unit: committed_unit_from(row) for row in of_table if row.is_live},
                generations={row.unit: row.generation for row in of_table},
            )
            for table, of_table in found.items()
        }

    def _of_tables_called(self, connection: sa.Connection, names: Sequence[str]) -> list[sa.Row[Any]]:
        statement = sa.select(committed_units).where(committed_units.c.pipeline == self._pipeline)
        return [
            row
            for part in parts_of(names)
            for row in connection.execute(statement.where(committed_units.c.table_name.in_(part))).all()
        ]

    def generations(self, table: TableName, units: Sequence[str]) -> dict[str, int]:
        """How often each of these units was committed; those that never were are left out."""
        found: dict[str, int] = {}
        keys = [unit_key(self._pipeline, table, unit) for unit in units]
        for some in parts_of(keys):
            rows = self._select(
                sa.select(committed_units.c.unit, committed_units.c.generation).where(
                    committed_units.c.unit_key.in_(some)
                )
            )
            found.update({row.unit: row.generation for row in rows})
        return found

    def tables(self) -> tuple[TableName, ...]:
        """Every table that was ever committed, in the catalogue's spelling."""
        columns = (committed_units.c.schema_name, committed_units.c.table_name)
        rows = self._select(sa.select(*columns).where(committed_units.c.pipeline == self._pipeline).distinct())
        return tuple(sorted(TableName(row.schema_name, row.table_name) for row in rows))

    def find_table(self, name: TableName) -> TableName:
        """The committed table called so, case ignored when that is unambiguous; `name` itself when there is none."""
        return self.find_tables([name])[name]

    def find_tables(self, names: Sequence[TableName]) -> dict[TableName, TableName]:
        """The same for many tables, by one query."""
        known = set(self.tables())
        alike: dict[TableName, list[TableName]] = {}
        for table in known:
            alike.setdefault(table.folded, []).append(table)
        return {
            name: of_name[0] if name not in known and len(of_name := alike.get(name.folded, [])) == 1 else name
            for name in names
        }

    def failures(self) -> dict[TableName, tuple[LoadEvent, ...]]:
        """The last failure of each unit that had no success since, oldest first, for all tables of the pipeline. A table that
        could not be planned has one of its whole."""
        later = loads.alias()
        over = sa.exists().where(
            later.c.unit_key == loads.c.unit_key, later.c.id > loads.c.id, later.c.status.in_((*_SUCCESSES, _FAILED))
        )
        of_pipeline = (loads.c.pipeline == self._pipeline, loads.c.status == _FAILED)
        found: dict[TableName, tuple[LoadEvent, ...]] = {}
        for row in self._select(sa.select(loads).where(*of_pipeline, ~over).order_by(loads.c.id)):
            event = event_from(row)
            found[event.table] = (*found.get(event.table, ()), event)
        return found

    def last_events(self, table: TableName) -> dict[str, LoadEvent]:
        """The newest event of each unit of a table."""
        newest = sa.select(sa.func.max(loads.c.id)).where(*self._of_table(table)).group_by(loads.c.unit_key)
        rows = self._select(sa.select(loads).where(loads.c.id.in_(newest)))
        return {row.unit: event_from(row) for row in self._exactly(rows, table)}

    def events(self, load_id: str) -> tuple[LoadEvent, ...]:
        """What happened to one load, in order."""
        statement = sa.select(loads).where(loads.c.pipeline == self._pipeline, loads.c.load_id == load_id)
        return tuple(event_from(row) for row in self._select(statement.order_by(loads.c.id)))

    def prune(self, before: datetime) -> int:
        """Forget events older than that, except those of loads that committed units stand at. How many were forgotten."""
        current = sa.select(committed_units.c.load_id).where(committed_units.c.pipeline == self._pipeline)
        statement = sa.delete(loads).where(
            loads.c.pipeline == self._pipeline, loads.c.at < iso(before), loads.c.load_id.not_in(current)
        )
        return self.store.write(lambda connection: connection.execute(statement).rowcount)

    def close(self) -> None:
        self.store.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _took_effect(self, table: TableName, changes: Sequence[CommitChange], events: Sequence[LoadEvent]) -> bool:
        """Whether an attempt without an answer was committed. Its events tell, since they are written with the committed
        units and stay when others have moved on; without events the committed units themselves."""
        with self.store.reading() as connection:
            if events:
                return self._are_written(connection, events)
            return all(self._stands(connection, table, change) for change in changes)

    def _are_written(self, connection: sa.Connection, events: Sequence[LoadEvent]) -> bool:
        """All of them: they are written together or not at all."""
        first = event_row(self._pipeline, events[0])
        same = [loads.c[name] == value for name, value in first.items() if name in _NAMING_AN_EVENT]
        return connection.execute(sa.select(loads.c.id).where(*same).limit(1)).first() is not None

    def _stands(self, connection: sa.Connection, table: TableName, change: CommitChange) -> bool:
        values = {"generation": change.expected_generation + 1, "is_live": change.committed_unit is not None}
        if change.committed_unit is not None:
            values.update(unit_values(change.committed_unit))
        same = [committed_units.c[name] == value for name, value in values.items()]
        key = unit_key(self._pipeline, table, change.unit)
        return (
            connection.execute(
                sa.select(committed_units.c.unit_key).where(committed_units.c.unit_key == key, *same)
            ).first()
            is not None
        )

    def _compare_and_set(self, connection: sa.Connection, table: TableName, change: CommitChange) -> None:
        key = unit_key(self._pipeline, table, change.unit)
        values: dict[str, Any] = {
            "generation": change.expected_generation + 1,
            "is_live": change.committed_unit is not None,
        }
        if change.committed_unit is not None:
            values.update(unit_values(change.committed_unit))
        if change.expected_generation:
            statement = sa.update(committed_units).where(
                committed_units.c.unit_key == key, committed_units.c.generation == change.expected_generation
            )
            if connection.execute(statement.values(**values)).rowcount != 1:
                raise self._conflict(table, change)
        elif change.committed_unit is not None:
            values.update(
                unit_key=key,
                pipeline=self._pipeline,
                schema_name=table.schema,
                table_name=table.table,
                unit=change.unit,
            )
            try:
                connection.execute(sa.insert(committed_units).values(**values))
            except IntegrityError:
                raise self._conflict(table, change) from None  # the other's row is in the way, nothing more to learn

    def _conflict(self, table: TableName, change: CommitChange) -> StateConflict:
        return StateConflict(
            f"{table} {change.unit}: another run committed it in between (expected generation "
            f"{change.expected_generation})",
            remedy="run again: it will see what the other run did",
            table=str(table),
            unit=change.unit,
        )

    def _of_table(self, table: TableName) -> Iterable[sa.ColumnElement[bool]]:
        return (
            loads.c.pipeline == self._pipeline,
            loads.c.schema_name == table.schema,
            loads.c.table_name == table.table,
        )

    def _exactly(self, rows: Sequence[sa.Row[Any]], table: TableName) -> list[sa.Row[Any]]:
        """Those of this very table: a store on SQL Server, made before its columns had a collation of their own, may take other
        names for the same."""
        ours = (self._pipeline, table.schema, table.table)
        return [row for row in rows if (row.pipeline, row.schema_name, row.table_name) == ours]

    def _select(self, statement: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        if not self.store.exists:
            return ()
        return self.store.read(lambda connection: connection.execute(statement).all())
