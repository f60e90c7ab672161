"""The warehouse: reachable, and what its login may do. One function for each kind."""

from __future__ import annotations

from collections.abc import Mapping

from dltsync_core.catalog.queries import query, query_for
from dltsync_core.catalog.reader import IDS_PER_QUERY, read_database
from dltsync_core.checkup.permissions import (
    WarehouseNeeds,
    read_access,
    warehouse_questions,
    warehouse_requirements,
)
from dltsync_core.checkup.requirement import Requirement, missing, not_granted, ok, warning
from dltsync_core.checkup.source import connection_requirements, user_statement
from dltsync_core.config import PipelineConfig
from dltsync_core.config.database import DatabaseConfig
from dltsync_core.config.sqlserver_destination import PartitionPlacement
from dltsync_core.connect.control import ControlSession, control_session
from dltsync_core.display import number_of
from dltsync_core.errors import SyncError, WarehouseBusy
from dltsync_core.identity import TableName, Target
from dltsync_core.tsql.permissions import ask_names, read_committed_snapshot
from dltsync_core.warehouse.delta.warehouse import DeltaWarehouse
from dltsync_core.warehouse.dlt.warehouse import DltWarehouse
from dltsync_core.warehouse.marker_rows import MARKER_SCHEMA
from dltsync_core.warehouse.open_warehouse import open_warehouse, sqlserver_settings
from dltsync_core.warehouse.sqlserver.preflight import FABRIC_SQL
from dltsync_core.warehouse.sqlserver.staging import folded
from dltsync_core.warehouse.sqlserver.targets import placement_names

_SHORT_WAIT_SECONDS = 2.0
"""For a warehouse file that another process holds."""


def check_warehouse(config: PipelineConfig) -> list[Requirement]:
    """Whether the warehouse can be opened, and what its login lacks."""
    try:
        if config.destination.connection is not None:
            return _check_sqlserver(config, config.destination.connection)
        if config.destination.destination is not None:
            return _check_dlt(config)
        return _check_duckdb(config)
    except SyncError as error:
        return [missing("warehouse", error)]


def _check_duckdb(config: PipelineConfig) -> list[Requirement]:
    path = config.destination.path
    if not path.exists():
        return [ok("warehouse", f"{path} is made by the first load")]
    brief = config.destination.model_copy(update={"lock_timeout_seconds": _SHORT_WAIT_SECONDS})
    warehouse = open_warehouse(config.model_copy(update={"destination": brief}), on_wait=lambda message: None)
    try:
        with warehouse.opened():
            return [ok("warehouse", f"{path} can be opened for writing")]
    except WarehouseBusy as error:
        return [
            warning(
                "warehouse",
                error.problem,
                f"a run waits up to {number_of(config.destination.lock_timeout_seconds, 'second')} "
                "(destination.lock_timeout_seconds)",
            )
        ]


def _check_dlt(config: PipelineConfig) -> list[Requirement]:
    warehouse = open_warehouse(config, on_wait=lambda message: None)
    if isinstance(warehouse, DeltaWarehouse):
        return [ok("warehouse", f"{warehouse.check_reachable()} can be reached (writing is not tried)")]
    if not isinstance(warehouse, DltWarehouse):
        raise TypeError("a destination of dlt has another warehouse")
    schemas = [*dict.fromkeys(config.target_of(table)[0] for table in config.tables), MARKER_SCHEMA]
    lacking = warehouse.missing_grants(schemas)
    found = [ok("warehouse", f"connected to {config.destination.name}")]
    found += [not_granted("warehouse", message, statement) for message, statement in lacking or ()]
    if lacking is None:
        found.append(warning("warehouse", f"permissions are not asked for in {config.destination.destination}"))
    elif not lacking:
        found.append(ok("warehouse", "may make schemas and tables"))
    return found


# ---- SQL Server ----------------------------------------------------------------------------------------------------
def _check_sqlserver(config: PipelineConfig, database: DatabaseConfig) -> list[Requirement]:
    try:
        with control_session(database) as session:
            facts = read_database(session)
            found = connection_requirements(session, facts, database, "warehouse")
            if facts.engine_edition == FABRIC_SQL:
                found.append(
                    warning("warehouse", "SQL database in Fabric has no SWITCH: rows are deleted and inserted")
                )
            if not facts.read_committed_snapshot:
                found.append(
                    warning(
                        "warehouse",
                        "READ_COMMITTED_SNAPSHOT is off: readers wait while rows are deleted and inserted",
                        statement=read_committed_snapshot(facts.database),
                    )
                )
            needs = _needs(session, config)
            access = read_access(session, warehouse_questions(needs))
            return [*found, *warehouse_requirements(access, needs)]
    except SyncError as error:
        return [missing("warehouse", error, user_statement(error, database))]


def _needs(session: ControlSession, config: PipelineConfig) -> WarehouseNeeds:
    """What is there, compared with what the config asks for."""
    rows = list(session.query(query("objects")))
    tables = {
        folded((row["schema_name"], row["object_name"])): TableName(row["schema_name"], row["object_name"])
        for row in rows
        if row["type"].strip() == "U"
    }
    names: dict[str, set[str]] = {"schema": set(), "function": set(), "scheme": set()}
    for row in session.query(ask_names().text):
        names[row["kind"]].add(str(row["name"]).casefold())
    placements = sqlserver_settings(config).placements
    targets = {config.target_of(table): table.kind for table in config.tables}
    absent = [target for target in targets if folded(target) not in tables]

    def has_place(target: Target) -> bool:
        function, scheme = placement_names(target, placements.get(folded(target), PartitionPlacement()))
        return function.casefold() in names["function"] and scheme.casefold() in names["scheme"]

    existing = {folded(target) for target in targets} & set(tables)
    by_id = {row["object_id"]: TableName(row["schema_name"], row["object_name"]) for row in rows}
    there = {number: name for number, name in by_id.items() if folded((name.schema, name.table)) in existing}
    retained = [table for table in config.tables if getattr(table, "retention", None) is not None]

    return WarehouseNeeds(
        existing=tuple(tables[folded(target)] for target in targets if folded(target) in tables),
        absent=tuple(TableName(*target) for target in absent),
        absent_partitioned=tuple(
            TableName(*target) for target in absent if targets[target] == "partition" and not has_place(target)
        ),
        own_schemas=(config.destination.staging_schema, MARKER_SCHEMA),
        schemas_there=frozenset(names["schema"]),
        allow_referenced=config.destination.allow_referenced_targets,
        references=_references(session, config, there),
        trimmed=tuple(
            TableName(*target)
            for target in map(config.target_of, retained)
            if placements.get(folded(target), PartitionPlacement()).function is None
        ),
    )


def _references(
    session: ControlSession, config: PipelineConfig, names: Mapping[int, TableName]
) -> tuple[tuple[TableName, TableName], ...]:
    """The tables that foreign keys of these targets reference, each with the target, for the keys that staging gets a copy of."""
    if not config.processing.enable_sql_server_partition_switching:
        return ()
    found: list[tuple[TableName, TableName]] = []
    object_ids = list(names)
    for start in range(0, len(object_ids), IDS_PER_QUERY):
        some = object_ids[start : start + IDS_PER_QUERY]
        for row in session.query(query_for("target_foreign_keys", len(some)), some):
            actions = {row["delete_referential_action_desc"], row["update_referential_action_desc"]}
            if row["is_disabled"] or row["is_not_for_replication"] or actions != {"NO_ACTION"}:
                continue  # such a key stands against switching
            referenced = TableName(row["referenced_schema"], row["referenced_table"])
            found.append((referenced, names[row["object_id"]]))
    return tuple(dict.fromkeys(found))
