"""The warehouse's database between loads: facts of targets, markers, and tables made, extended and split."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from dltsync_core.catalog.facts import PartitioningFacts
from dltsync_core.catalog.queries import query
from dltsync_core.catalog.reader import read_database
from dltsync_core.catalog.targets import CLUSTERED_COLUMNSTORE, TargetFacts, read_targets
from dltsync_core.committed import Marker
from dltsync_core.config.sqlserver_destination import PartitionPlacement
from dltsync_core.errors import SyncError, TransientQueryError, WarehouseError
from dltsync_core.identity import TableName, Target, digest_of, identifier_part, joined
from dltsync_core.plan.steps import ReplaceScope
from dltsync_core.ranges import Boundary, PartitionRange
from dltsync_core.tsql.conditions import slot_condition
from dltsync_core.tsql.fragments import Literal, Statement, sql
from dltsync_core.tsql.select import count_rows
from dltsync_core.tsql.warehouse import markers as marker_table
from dltsync_core.tsql.warehouse import tables
from dltsync_core.tsql.warehouse.tables import IndexShape, PlacedOn, TargetColumn
from dltsync_core.warehouse.marker_rows import MARKER_SCHEMA, MARKER_TABLE, marker_from
from dltsync_core.warehouse.port import LoadRequest
from dltsync_core.warehouse.sqlserver.columns import target_column
from dltsync_core.warehouse.sqlserver.evolution import plan_evolution
from dltsync_core.warehouse.sqlserver.ladder import Engine, LadderSettings, partitions_in
from dltsync_core.warehouse.sqlserver.preflight import FABRIC_SQL
from dltsync_core.warehouse.sqlserver.session import Sessions
from dltsync_core.warehouse.sqlserver.staging import digest_in, folded, lock_resource, target_digest

MARKERS = TableName(*MARKER_TABLE)
_WIDEST_KEY_BYTES = 900
"""Of a clustered index."""


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

    def _again(self, target: Target) -> TargetFacts:
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

    # -- targets ----------------------------------------------------------------------------------------------------

    def make_ready(self, requests: Sequence[LoadRequest]) -> dict[Target, TargetFacts]:
        """The tables are there, their columns fit the loads, and they have the boundaries of the loads' partitions where those
        can be had: their facts then. Raises DriftError. What is done stays when the load fails: an empty table, a column of
        NULLs, an empty partition."""
        facts = self.facts([request.target for request in requests])
        for request in requests:
            found = facts.get(request.target)
            if found is None:
                self._create(request)
                found = facts[request.target] = self._again(request.target)
            if self._evolve(found, request):
                found = facts[request.target] = self._again(request.target)
            if self._split_for(found, request):
                facts[request.target] = self._again(request.target)
        return facts

    def _evolve(self, found: TargetFacts, request: LoadRequest) -> bool:
        """Whether something was changed."""
        evolution = plan_evolution(found.table, request.schema)
        if evolution.added:
            self.run(tables.add_columns(found.name, evolution.added), f"adding columns to {found.name}")
        for column in evolution.altered:
            self.run(tables.alter_column(found.name, column), f"changing column {column.name} of {found.name}")
        return bool(evolution.added or evolution.altered)

    def _split_for(self, found: TargetFacts, request: LoadRequest) -> bool:
        how = request.disposition
        if not isinstance(how, ReplaceScope):
            return False
        done = False
        for range_ in how.ranges:
            done |= self._split(request.target, found, range_)
        return done

    def _create(self, request: LoadRequest) -> None:
        schema, table = request.target
        columns = [target_column(field) for field in request.schema]
        keys = _primary_key(request, columns)
        columns = [TargetColumn(c.name, c.type, c.is_nullable and c.name not in keys, c.collation) for c in columns]
        name = TableName(schema, table)
        self.run(tables.create_schema(schema), f"making schema {schema}")
        placed = self._place(request, columns)
        columnstore = self.settings.columnstore
        self.run(
            tables.create_table(name, columns, placed=placed, primary_key=() if columnstore else keys), f"making {name}"
        )
        if columnstore:
            index = IndexShape(is_clustered=True, is_columnstore=True)
            self.run(tables.create_index(name, 1, index, placed), f"making the columnstore index of {name}")

    def _place(self, request: LoadRequest, columns: Sequence[TargetColumn]) -> PlacedOn | None:
        """The partition scheme for a table that is made, with its function: those that the config names, or of its own."""
        partitioning = request.layout.partitioning
        if partitioning is None:
            return None
        column = next((c for c in columns if c.name.casefold() == partitioning.column.name.casefold()), None)
        if column is None:
            return None
        own = f"dltsync_{identifier_part('_'.join(request.target))}_{digest_of(joined(*folded(request.target)))[:8]}"
        placement = self.settings.placements.get(folded(request.target), PartitionPlacement())
        function, scheme = placement.function or f"{own}_pf", placement.scheme or f"{own}_ps"
        if not self._exists("partition_functions", function):
            boundaries = [slot.range.upper for slot in partitioning.slots if slot.range.upper is not None]
            self.run(
                tables.create_partition_function(
                    function, partitioning.column, column.type, partitioning.side, boundaries
                ),
                f"making partition function {function}",
            )
        if not self._exists("partition_schemes", scheme):
            self.run(
                tables.create_partition_scheme(scheme, function, placement.filegroup),
                f"making partition scheme {scheme}",
            )
        return PlacedOn(scheme, column.name)

    def _exists(self, view: str, name: str) -> bool:
        asked = {
            "partition_functions": sql("SELECT name FROM sys.partition_functions WHERE name = {n}", n=Literal(name)),
            "partition_schemes": sql("SELECT name FROM sys.partition_schemes WHERE name = {n}", n=Literal(name)),
        }[view]
        return bool(self.sessions.query(asked.render(), f"looking for {name}"))

    def _split(self, target: Target, found: TargetFacts, wanted: PartitionRange) -> bool:
        """Add the boundaries that a range needs, where that moves no rows: on the new partition's side there are none.
        Functions that other tables use are left alone. Whether there are new boundaries."""
        partitioning = found.table.partitioning
        if partitioning is None or partitioning.side != wanted.side or partitions_in(partitioning, wanted):
            return False
        others = [t for t in found.shared_with if t.schema != self.settings.staging_schema]
        if others or self.engine().edition == FABRIC_SQL:
            return False
        changed = False
        for boundary in (wanted.lower, wanted.upper):
            if boundary is None or any(boundary in (s.range.lower, s.range.upper) for s in partitioning.slots):
                continue
            if self._is_empty_beyond(found, partitioning, boundary):
                self._add_boundary(found, partitioning, boundary)
                found = self._again(target)
                partitioning = found.table.partitioning or partitioning
                changed = True
        return changed

    def _is_empty_beyond(self, found: TargetFacts, partitioning: PartitioningFacts, boundary: Boundary) -> bool:
        """Whether the partition that a SPLIT would make has no rows; for a columnstore index, whether the one it splits has
        none."""
        column = partitioning.column
        number = self.count(tables.partition_number(partitioning.function, column, boundary))
        slot = partitioning.slots[number - 1].range
        lower, upper = (boundary, slot.upper) if partitioning.side == "right" else (slot.lower, boundary)
        storage = found.storage
        if storage is not None and storage.kind == CLUSTERED_COLUMNSTORE:
            lower, upper = slot.lower, slot.upper
        part = PartitionRange(lower, upper, partitioning.side, holds_null=slot.holds_null and lower == slot.lower)
        return self.count(count_rows(found.name, slot_condition(column, part))) == 0

    def _add_boundary(self, found: TargetFacts, partitioning: PartitioningFacts, boundary: Boundary) -> None:
        for scheme, filegroup in found.schemes:
            self.run(tables.set_next_used(scheme, filegroup), f"preparing scheme {scheme}")
        with suppress(TransientQueryError):  # readers are there: the load takes a way that needs no boundary
            self.run(
                tables.split_range(partitioning.function, partitioning.column, boundary),
                f"splitting partition function {partitioning.function}",
            )


def _primary_key(request: LoadRequest, columns: Sequence[TargetColumn]) -> tuple[str, ...]:
    """The primary key of a table that is made: the layout's, with the partition column, as far as all of it is loaded, is
    never NULL and is not too long for an index; else none."""
    by_name = {column.name.casefold(): column for column in columns}
    wanted = list(request.layout.primary_key)
    partitioning = request.layout.partitioning
    if (
        wanted
        and partitioning is not None
        and partitioning.column.name.casefold() not in {k.casefold() for k in wanted}
    ):
        wanted.append(partitioning.column.name)
    found = [by_name[key.casefold()] for key in wanted if key.casefold() in by_name]
    usable = len(found) == len(wanted) and not any(c.is_nullable or "(max)" in c.type for c in found)
    if not usable or sum(_bytes(c.type) for c in found) > _WIDEST_KEY_BYTES:
        return ()
    return tuple(column.name for column in found)


def _bytes(declared: str) -> int:
    """At most so many bytes of an index key."""
    base, _, size = declared.rstrip(")").partition("(")
    if base in {"nchar", "nvarchar"}:
        return 2 * int(size)
    return int(size) if base in {"char", "varchar", "binary", "varbinary"} else 17
