"""The warehouse's database between loads: facts of targets, markers, and tables made, extended and split."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

from dltsync_core.catalog.queries import query
from dltsync_core.catalog.reader import read_database
from dltsync_core.catalog.targets import TargetFacts, read_targets
from dltsync_core.committed import Marker
from dltsync_core.config.sqlserver_destination import PartitionPlacement
from dltsync_core.errors import SyncError, WarehouseError
from dltsync_core.identity import TableName, Target
from dltsync_core.ranges import PartitionRange, parse_key
from dltsync_core.tsql.fragments import Literal as SqlLiteral
from dltsync_core.tsql.fragments import Statement, sql, table
from dltsync_core.tsql.warehouse import markers as marker_table
from dltsync_core.tsql.warehouse import replaced as replaced_tables
from dltsync_core.tsql.warehouse import tables
from dltsync_core.warehouse.marker_rows import MARKER_SCHEMA, MARKER_TABLE, marker_from
from dltsync_core.warehouse.port import LoadRequest
from dltsync_core.warehouse.sqlserver.ladder import Engine, LadderSettings
from dltsync_core.warehouse.sqlserver.run_lock import RunLock
from dltsync_core.warehouse.sqlserver.session import Sessions
from dltsync_core.warehouse.sqlserver.staging import digest_in, folded, lock_resource, target_digest

MARKERS = TableName(*MARKER_TABLE)
REPLACED_ROWS = TableName(MARKER_SCHEMA, "replaced_rows")
REPLACED_MARKERS = TableName(MARKER_SCHEMA, "replaced_markers")


@dataclass(frozen=True)
class StoreSettings:
    """What the config says of the warehouse. `pause` sleeps, and may raise to end a wait."""

    staging_schema: str
    lock_seconds: float
    switch_lock_timeout_ms: int = 3000
    ladder: LadderSettings = field(default_factory=LadderSettings)
    placements: dict[Target, PartitionPlacement] = field(default_factory=dict)
    columnstore: bool = False
    bulk_load: Literal["bulkcopy", "fast_executemany"] = "bulkcopy"
    source_indexes: bool = False
    may_rebuild: bool = False
    pause: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class StoredMarker:
    """A marker as it is stored: of any pipeline."""

    pipeline: str
    unit: str
    load_id: str
    fence: int
    marker: Marker


@dataclass(frozen=True)
class ReplacedRows:
    """Rows that a load switched out and that are still there: in `table`, together with those of other units of its group. `id`
    is that of the unit's marker, `target` is folded, `range` None for a whole table."""

    id: str
    target: Target
    pipeline: str
    unit: str
    load_id: str
    run_token: str
    table: TableName
    range: PartitionRange | None


class Store:
    """One warehouse database, for any number of threads."""

    def __init__(self, sessions: Sessions, settings: StoreSettings) -> None:
        self.sessions = sessions
        self.settings = settings
        self.run_lock = RunLock(sessions.database)

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
        if not self.exists(MARKERS):
            return {}
        rows = self.sessions.query(marker_table.select_markers(MARKERS, folded(target)), "reading markers")
        return {
            row[marker_table.KEY]: StoredMarker(
                row["pipeline"], row["unit"], row["load_id"], row["fence"], marker_from(row)
            )
            for row in rows
        }

    def is_marked(self, target: Target, key: str, load_id: str) -> bool:
        """Whether the marker of that id names the load."""
        stored = self.markers(target).get(key)
        return stored is not None and stored.load_id == load_id

    def exists(self, name: TableName) -> bool:
        """Whether there is such a table."""
        asked = sql("SELECT OBJECT_ID({name}, N'U') AS id", name=SqlLiteral(table(name).render().text))
        (row,) = self.sessions.query(asked.render(), f"looking for {name}")
        return row["id"] is not None

    def columns_of(self, name: TableName) -> list[str]:
        """The names of a table's columns."""
        asked = sql(
            "SELECT c.name AS column_name FROM sys.columns AS c WHERE c.object_id = OBJECT_ID({name}, N'U')",
            name=SqlLiteral(table(name).render().text),
        )
        return [row["column_name"] for row in self.sessions.query(asked.render(), f"reading the columns of {name}")]

    def replaced(self) -> list[ReplacedRows]:
        """The rows that loads replaced and that were not settled yet, of all targets."""
        if not self.exists(REPLACED_ROWS):
            return []
        rows = self.sessions.query(replaced_tables.select_records(REPLACED_ROWS), "reading which rows were replaced")
        return [
            ReplacedRows(
                id=row[marker_table.KEY],
                target=(row["target_schema"], row["target_table"]),
                pipeline=row["pipeline"],
                unit=row["unit"],
                load_id=row["load_id"],
                run_token=row["run_token"],
                table=TableName(row["staging_schema"], row["staging_table"]),
                range=parse_key(row["partition_range"]) if row["partition_range"] is not None else None,
            )
            for row in rows
        ]

    def filegroups_of(self, number: int) -> dict[str, str]:
        """The filegroup of the partition with that number, by partition scheme."""
        asked = sql(
            "SELECT ps.name AS scheme_name, fg.name AS filegroup_name FROM sys.partition_schemes AS ps "
            "JOIN sys.destination_data_spaces AS d ON d.partition_scheme_id = ps.data_space_id "
            "JOIN sys.filegroups AS fg ON fg.data_space_id = d.data_space_id WHERE d.destination_id = {number}",
            number=SqlLiteral(number),
        )
        rows = self.sessions.query(asked.render(), "looking for filegroups")
        return {row["scheme_name"]: row["filegroup_name"] for row in rows}

    def is_partitioned(self, name: TableName) -> bool:
        """Whether the rows of a table lie on a partition scheme."""
        asked = sql(
            "SELECT COUNT(*) AS n FROM sys.indexes AS i "
            "JOIN sys.partition_schemes AS ps ON ps.data_space_id = i.data_space_id "
            "WHERE i.object_id = OBJECT_ID({name}, N'U') AND i.index_id IN (0, 1)",
            name=SqlLiteral(table(name).render().text),
        )
        return self.count(asked.render()) > 0

    def saved_marker_ids(self, record: ReplacedRows) -> list[str]:
        """The ids of the markers as they were before the load of a record."""
        asked = replaced_tables.select_marker_ids(REPLACED_MARKERS, record.id)
        return [row[marker_table.KEY] for row in self.sessions.query(asked, "reading markers")]

    def forget_replaced(self, target: Target) -> None:
        """The table was dropped: nothing of it is switched back."""
        ids = [record.id for record in self.replaced() if record.target == folded(target)]
        if ids:
            self.run(replaced_tables.delete_records(REPLACED_ROWS, REPLACED_MARKERS, ids), "deleting records")
        self.drop_staging({target_digest(target)})

    # -- staging ----------------------------------------------------------------------------------------------------

    @contextmanager
    def staging_of(self, requests: Sequence[LoadRequest]) -> Iterator[None]:
        """For the block, staging tables of these targets may be made: those that dead runs left are dropped before it, and all of
        them after it. The locks of the targets are held."""
        self.run(tables.create_schema(self.settings.staging_schema), "making the staging schema")
        self.run(tables.create_schema(MARKER_SCHEMA), "making the schema of markers")
        self.run(marker_table.create_markers(MARKERS), "making the table of markers")
        self.run(replaced_tables.create_tables(REPLACED_ROWS, REPLACED_MARKERS), "making the tables of replaced rows")
        digests = {target_digest(request.target) for request in requests}
        self.drop_staging(digests)
        try:
            yield
        finally:
            with suppress(SyncError):  # the next load of the target does it, or `cleanup`
                self.drop_staging(digests)

    def drop_staging(self, digests: set[str]) -> None:
        """Drop the staging tables of targets with these digests, except those with rows that a load replaced and that may have to
        be switched back."""
        found = [name for name in self._staging_tables() if digest_in(name.table) in digests]
        if not found:
            return
        needed = {record.table for record in self.replaced()}
        for name in found:
            if name not in needed:
                self.drop_staging_table(name)

    def drop_staging_table(self, name: TableName) -> None:
        """Drop one of them."""
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
            name=SqlLiteral(self.settings.staging_schema),
        )
        rows = self.sessions.query(asked.render(), "looking for staging tables")
        return [TableName(row["schema_name"], row["table_name"]) for row in rows]
