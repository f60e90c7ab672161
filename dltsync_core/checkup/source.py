"""The source: connection, server, isolation, permissions, and whether each table of the config can be planned."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dltsync_core.catalog.facts import DatabaseFacts, TableFacts
from dltsync_core.catalog.reader import read_database
from dltsync_core.catalog.support import MINIMUM, Server
from dltsync_core.checkup.permissions import read_access, source_questions, source_requirements
from dltsync_core.checkup.requirement import Area, Requirement, missing, ok, warning
from dltsync_core.config import DatabaseConfig, PipelineConfig, TableConfig
from dltsync_core.connect.control import ControlSession, control_session
from dltsync_core.connect.data import open_data_session
from dltsync_core.connect.pool import close_quietly
from dltsync_core.errors import SyncError, TableNotFound, UnsupportedServer
from dltsync_core.identity import TableName
from dltsync_core.lake.lake import Lake
from dltsync_core.plan.table_patterns import MatchedTables, matched_tables, needs_columns
from dltsync_core.run.context import source_name_of
from dltsync_core.run.planning.resolved import read_facts, resolve_table
from dltsync_core.run.ports import Source
from dltsync_core.tsql.permissions import OnSchema, Question, allow_snapshots, create_user
from dltsync_core.warehouse.port import Warehouse

_NO_USER = 4060


@dataclass(frozen=True)
class CheckRooms:
    """The rooms that tables are resolved with (`run.planning.resolved.PlanningRooms`)."""

    config: PipelineConfig
    source: Source
    lake: Lake
    warehouse: Warehouse

    @property
    def source_name(self) -> str:
        return source_name_of(self.config)


def check_source(rooms: CheckRooms) -> tuple[list[Requirement], PipelineConfig]:
    """Connection, server, permissions, and every table that cannot be planned; and the config with the tables that its patterns
    stand for, where the source could be asked."""
    database = rooms.config.database
    try:
        with control_session(database) as session:
            facts = read_database(session)
            found = [*connection_requirements(session, facts, database, "source"), *snapshot_requirements(facts)]
            close_quietly(open_data_session(database))
            if any(one.status == "missing" for one in found):
                return found, rooms.config
            matched = MatchedTables(rooms.config)
            if rooms.config.patterns:
                listed = rooms.source.list_tables(with_columns=needs_columns(rooms.config))
                matched = matched_tables(rooms.config, listed)
            notes = [warning("tables", note) for note in matched.notes]
            return [*found, *_tables(replace(rooms, config=matched.config), session), *notes], matched.config
    except SyncError as error:
        return [missing("source", error, user_statement(error, database))], rooms.config


def user_statement(error: SyncError, database: DatabaseConfig) -> str:
    """The statement for a login that has no user in the database; the server does not say whether the database is there."""
    if error.facts.get("number") == _NO_USER and database.username is not None and database.authentication is None:
        return create_user(database.username)
    return ""


def connection_requirements(
    session: ControlSession, facts: DatabaseFacts, database: DatabaseConfig, area: Area
) -> list[Requirement]:
    """Server, login, driver and encryption of a connection that was made."""
    server = Server(facts.product_version, facts.engine_edition)
    found = [ok(area, f"{facts.database} on {database.address}, {server}")]
    if not server.is_supported:
        found = [missing(area, UnsupportedServer(f"{server} is not supported", remedy=f"use {MINIMUM}"))]
    found.append(ok(area, f"connected by {session.driver()}"))
    return [*found, encryption_requirement(database, area)]


def encryption_requirement(database: DatabaseConfig, area: Area) -> Requirement:
    """The drivers refuse a connection that is less than the config asks for, so the config says what there is."""
    if database.encrypt == "no":
        return warning(
            area, "rows travel unencrypted (encrypt: no)", "write encrypt: yes, unless you trust the network"
        )
    if database.trust_server_certificate and database.encrypt != "strict":
        return warning(
            area,
            "encrypted, but any certificate is accepted (trust_server_certificate)",
            "install the certificate's authority on this machine and take trust_server_certificate out",
        )
    return ok(area, "encrypted, and the server's certificate is verified")


def snapshot_requirements(facts: DatabaseFacts) -> list[Requirement]:
    """Pure."""
    if facts.snapshot_allowed:
        return [ok("source", "SNAPSHOT isolation is allowed")]
    return [
        warning(
            "source",
            "SNAPSHOT isolation is not allowed: counts and rows of a table come from two moments, and a broken read starts again",
            statement=allow_snapshots(facts.database),
        )
    ]


def _tables(rooms: CheckRooms, session: ControlSession) -> list[Requirement]:
    tables = rooms.config.tables
    facts, errors = read_facts(rooms, tables)
    unseen = [table.name for table in tables if isinstance(errors.get(table.name), TableNotFound)]
    names = {table.name: facts[table.name].name if table.name in facts else table.name for table in tables}
    access = read_access(session, source_questions(list(names.values())))
    rowversions = [name for name in (_with_rowversion(table, facts) for table in tables) if name is not None]
    hidden = [name for name in unseen if access.lacks(Question(OnSchema(name.schema), "SELECT"))]
    seen = [name for table, name in names.items() if table not in unseen or table in hidden]
    found = source_requirements(access, seen, hidden=hidden, with_rowversion=rowversions)
    planned = 0
    for table in tables:
        try:
            if table.name in errors:
                raise errors[table.name]
            resolve_table(rooms, table, facts[table.name])
            planned += 1
        except SyncError as error:
            if table.name not in hidden and "missing_permission" not in error.facts:  # else its permission is named
                found.append(missing("tables", error))
    if planned:
        found.append(ok("tables", f"{planned:,} of {len(tables):,} can be planned"))
    return found


def _with_rowversion(table: TableConfig, facts: dict[TableName, TableFacts]) -> TableName | None:
    """The table's name when its watermark is a rowversion."""
    found = facts.get(table.name)
    column = found.column(getattr(table, "last_modified_column", None) or "") if found is not None else None
    is_scd = table.kind == "scd" and column is not None and column.type_name == "rowversion"
    return found.name if found is not None and is_scd else None
