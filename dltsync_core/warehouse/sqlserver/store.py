"""The warehouse's database between loads: facts of targets, markers, and tables made, extended and split."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from dltsync_core.catalog.queries import query
from dltsync_core.catalog.reader import read_database
from dltsync_core.catalog.targets import TargetFacts, read_targets
from dltsync_core.committed import Marker
from dltsync_core.config.sqlserver_destination import PartitionPlacement
from dltsync_core.errors import SyncError, WarehouseError
from dltsync_core.identity import TableName, Target
from dltsync_core.tsql.fragments import Literal, Statement, sql
from dltsync_core.tsql.warehouse import markers as marker_table
from dltsync_core.tsql.warehouse import tables
from dltsync_core.warehouse.marker_rows import MARKER_SCHEMA, MARKER_TABLE, marker_from
from dltsync_core.warehouse.port import LoadRequest
from dltsync_core.warehouse.sqlserver.ladder import Engine, LadderSettings
from dltsync_core.warehouse.sqlserver.session import Sessions
from dltsync_core.warehouse.sqlserver.staging import digest_in, folded, lock_resource, target_digest

MARKERS = TableName(*MARKER_TABLE)


@dataclass(frozen=True)
class StoreSettings:
    """What the config says of the warehouse. `pause` sleeps, and may raise to end a wait."""

    staging_schema: str
    lock_seconds: float
    switch_lock_timeout_ms: int = 3000
    ladder: LadderSettings = field(default_factory=LadderSettings)
    placements: dict[Target, PartitionPlacement] = field(default_factory=dict)
    columnstore: bool = False
    pause: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class StoredMarker:
    """A marker as it is stored: of any pipeline."""

    pipeline: str
    unit: str
    load_id: str
    fence: int
    marker: Marker


class Store:
    """One warehouse database, for any number of threads."""

    def __init__(self, sessions: Sessions, settings: StoreSettings) -> None:
        self.sessions = sessions
        self.settings = settings

    def run(self, statement: Statement, doing: str) -> None:
        """Run a batch to its end."""
        self.sessions.run(statement, doing)

    def count(self, statement: Statement) -> int:
        """The number that a statement of one row and one column gives."""
        (row,) = self.sessions.query(statement, "counting rows of the warehouse")
        return int(next(iter(row.values())))

    def engine(self) -> Engine:
        """What the database allows."""
        with self.sessions.opened() as session:
            known = self.sessions.remembered
            if Engine not in known:
                facts = read_database(session)
                known[Engine] = Engine(facts.engine_edition, facts.read_committed_snapshot)
            engine: Engine = known[Engine]
            return engine

    # -- what is there ----------------------------------------------------------------------------------------------

    def find(self, targets: Sequence[Target]) -> dict[Target, TableName]:
        """The tables that exist, in the catalogue's spelling. Raises WarehouseError for a view of that name."""
        with self.sessions.opened() as session:
            rows = session.query(query("objects"))
        wanted = {folded(target): target for target in targets}
        found: dict[Target, TableName] = {}
        for row in rows:
            name = TableName(row["schema_name"], row["object_name"])
            target = wanted.get(folded((name.schema, name.table)))
            if target is None:
                continue
            if row["type"].strip() != "U":
                raise WarehouseError(
                    f"{name} is a view or synonym in the warehouse, not a table",
                    remedy="rename it, or choose another target_table or target_schema",
                )
            found[target] = name
        return found

    def facts(self, targets: Sequence[Target]) -> dict[Target, TargetFacts]:
        """Facts of the targets that exist. Read once while a session is open: a load and the figures asked for after it belong
        together. `forget` makes them be read again."""
        with self.sessions.opened() as session:
            known = self.sessions.remembered
            missing = [target for target in dict.fromkeys(targets) if folded(target) not in known]
            names = self.find(missing) if missing else {}
            if names:
                read = read_targets(session, list(names.values()), self.sessions.database.database)
                known.update({folded(target): read[name] for target, name in names.items()})
            return {target: known[folded(target)] for target in targets if folded(target) in known}

    def forget(self, target: Target) -> None:
        """The table was changed."""
        self.sessions.remembered.pop(folded(target), None)

    def read_again(self, target: Target) -> TargetFacts:
        """The facts of a table that was changed."""
        self.forget(target)
        return self.facts([target])[target]

    def markers(self, target: Target) -> dict[str, StoredMarker]:
        """All markers of a target by their ids; empty when there is no marker table."""
        if not self._has_markers():
            return {}
        rows = self.sessions.query(marker_table.select_markers(MARKERS, folded(target)), "reading markers")
        return {
            row[marker_table.KEY]: StoredMarker(
                row["pipeline"], row["unit"], row["load_id"], row["fence"], marker_from(row)
            )
            for row in rows
        }

    def _has_markers(self) -> bool:
        asked = sql("SELECT OBJECT_ID({name}, N'U') AS id", name=Literal(f"[{MARKERS.schema}].[{MARKERS.table}]"))
        (row,) = self.sessions.query(asked.render(), "looking for markers")
        return row["id"] is not None

    # -- staging ----------------------------------------------------------------------------------------------------

    @contextmanager
    def staging_of(self, requests: Sequence[LoadRequest]) -> Iterator[None]:
        """For the block, staging tables of these targets may be made: those that dead runs left are dropped before it, and all of
        them after it. The locks of the targets are held."""
        self.run(tables.create_schema(self.settings.staging_schema), "making the staging schema")
        self.run(tables.create_schema(MARKER_SCHEMA), "making the schema of markers")
        self.run(marker_table.create_markers(MARKERS), "making the table of markers")
        digests = {target_digest(request.target) for request in requests}
        self.drop_staging(digests)
        try:
            yield
        finally:
            with suppress(SyncError):  # the next load of the target does it, or `cleanup`
                self.drop_staging(digests)

    def drop_staging(self, digests: set[str]) -> None:
        """Drop the staging tables of targets with these digests."""
        for name in self._staging_tables():
            if digest_in(name.table) in digests:
                self.run(tables.drop_table(name), "dropping a staging table")

    def drop_abandoned(self) -> None:
        """Drop the staging tables of targets that are not being loaded."""
        found = sorted({digest for name in self._staging_tables() if (digest := digest_in(name.table)) is not None})
        for digest in found:
            resource = lock_resource(digest)
            if self.sessions.try_lock(resource):
                try:
                    self.drop_staging({digest})
                finally:
                    self.sessions.release(resource)

    def _staging_tables(self) -> list[TableName]:
        asked = sql(
            "SELECT s.name AS schema_name, t.name AS table_name FROM sys.tables AS t "
            "JOIN sys.schemas AS s ON s.schema_id = t.schema_id WHERE s.name = {name}",
            name=Literal(self.settings.staging_schema),
        )
        rows = self.sessions.query(asked.render(), "looking for staging tables")
        return [TableName(row["schema_name"], row["table_name"]) for row in rows]
