"""Everything that a pipeline needs, asked for once. Connects to source, warehouse, ledger and lake; writes nothing."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

import sqlalchemy as sa

from dltsync_core.checkup.machine import directory_requirements, driver_requirements, room_requirements
from dltsync_core.checkup.requirement import Requirement, missing, ok
from dltsync_core.checkup.source import CheckRooms, check_source
from dltsync_core.checkup.warehouse import check_warehouse
from dltsync_core.config import PipelineConfig
from dltsync_core.errors import SyncError
from dltsync_core.extract.source import SqlServerSource
from dltsync_core.lake.lake import Lake
from dltsync_core.lake.open_lake import open_lake
from dltsync_core.redaction import redacted, secrets_of
from dltsync_core.run.context import opened_ledger
from dltsync_core.run.reporting import RunReporter
from dltsync_core.state.store import Store
from dltsync_core.state.tables import LEDGER
from dltsync_core.warehouse.open_warehouse import open_warehouse


def check_pipeline(config: PipelineConfig) -> list[Requirement]:
    """Every requirement, with what is there and what is missing. `config` has absolute paths. Nothing is tried twice: a server
    that does not answer is missing. No text holds a secret of the config. Raises ConfigError where the warehouse's settings are
    wrong."""
    drivers = driver_requirements(config)
    found = [*drivers, *directory_requirements(config), *room_requirements(config)]
    lake = open_lake(config.state, config.pipeline_name)
    drivers_work = all(one.status == "ok" for one in drivers)
    if drivers_work:
        once = config.processing.model_copy(update={"retry_attempts": 1})
        source = SqlServerSource(config.database, once, config.representation)
        warehouse = open_warehouse(config, on_wait=lambda message: None)
        of_source, config = check_source(CheckRooms(config, source, lake, warehouse))
        found += of_source
    found += [*_check_ledger(config), *_check_lake(config, lake)]
    if config.destination.connection is None or drivers_work:
        found += check_warehouse(config)
    return [_without_secrets(one, secrets_of(config)) for one in found]


def _without_secrets(one: Requirement, secrets: Sequence[str]) -> Requirement:
    return replace(
        one,
        message=redacted(one.message, secrets),
        remedy=redacted(one.remedy, secrets),
        statement=redacted(one.statement, secrets),
    )


def _check_ledger(config: PipelineConfig) -> list[Requirement]:
    try:
        with opened_ledger(config, RunReporter(config), threading.Event(), writable=False) as ledger:
            store = ledger.store
            if not store.exists:
                return [ok("ledger", f"{store.described} is made by the first run")]
            if store.path is None:
                _try_writing(store)
            return [ok("ledger", f"{store.described} can be read and written")]
    except SyncError as error:
        return [missing("ledger", error)]


def _try_writing(store: Store) -> None:
    """Every kind of change of every table, of no row: a server refuses it where the permission is missing. Raises StateError."""

    def nothing(connection: sa.Connection) -> None:
        for table in LEDGER.sorted_tables:
            column = next(iter(table.columns))
            connection.execute(sa.delete(table).where(sa.false()))
            connection.execute(sa.update(table).values({column: column}).where(sa.false()))
            connection.execute(sa.insert(table).from_select(list(table.columns), sa.select(table).where(sa.false())))

    store.read(nothing)


def _check_lake(config: PipelineConfig, lake: Lake) -> list[Requirement]:
    if not isinstance(config.state.parquet_directory, str):
        return []  # a directory: see `machine.directory_requirements`
    try:
        lake.check_reachable()
    except SyncError as error:
        return [missing("lake", error)]
    return [ok("lake", f"{lake.address} can be read (writing is not tried)")]
