"""A group of loads: their tables made ready, their rows copied into staging, and all of them published in one transaction."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from dlt.pipeline.exceptions import PipelineStepFailed

from dltsync_core import checkpoints
from dltsync_core.catalog.targets import CLUSTERED_COLUMNSTORE
from dltsync_core.connect.connection_string import catalog_lock_timeout_ms
from dltsync_core.connect.control import ControlSession, open_control_session
from dltsync_core.connect.data import DataSession, open_data_session
from dltsync_core.display import number_of
from dltsync_core.errors import SyncError, WarehouseError
from dltsync_core.identity import Target, dotted
from dltsync_core.plan.steps import ReplaceScope
from dltsync_core.ranges import PartitionRange
from dltsync_core.tsql.fragments import Statement, join
from dltsync_core.tsql.select import count_rows
from dltsync_core.tsql.warehouse import publish as sections
from dltsync_core.tsql.warehouse.locks import take_transaction_lock
from dltsync_core.tsql.warehouse.tables import compress_row_groups
from dltsync_core.warehouse.dlt.files import TableFiles, deliver
from dltsync_core.warehouse.marker_rows import refuse_late_writer
from dltsync_core.warehouse.port import LoadRequest
from dltsync_core.warehouse.sqlserver.bulk_copy import copy_file
from dltsync_core.warehouse.sqlserver.ladder import Rung, choose, second_rung
from dltsync_core.warehouse.sqlserver.preflight import Blocker
from dltsync_core.warehouse.sqlserver.publish import Overtaken, Publisher, SwitchRefused
from dltsync_core.warehouse.sqlserver.rollback import restore, single_partition
from dltsync_core.warehouse.sqlserver.sections import StagedUnit, marker_id, section_of
from dltsync_core.warehouse.sqlserver.staging import (
    StagingNames,
    conversions,
    copies_of,
    heap_for,
    lock_resource,
    target_digest,
    text_table,
)
from dltsync_core.warehouse.sqlserver.store import Store, StoredMarker
from dltsync_core.warehouse.sqlserver.targets import make_ready


def load_group(store: Store, requests: Sequence[LoadRequest], directory: Path) -> list[StagedUnit]:
    """Bring the files of all loads in, all of them or none: each with its rows, and how it entered. `directory` is an empty
    working directory for dlt. The caller holds the locks of all targets. Raises what `port.Warehouse.load` raises."""
    known = {target: store.markers(target) for target in {request.target for request in requests}}
    _refuse_late_writers(requests, known)
    with store.staging_of(requests):
        if _undo_unsettled(store, requests):
            known = {target: store.markers(target) for target in known}
        units = _prepare(store, requests)
        checkpoints.reached(checkpoints.WAREHOUSE_EVOLVED)
        _copy(store, units, directory)
        loads = {(unit.key, unit.settled_by) for unit in units if unit.settled_by is not None}
        store.run_lock.add(loads)
        try:
            _publish(store, units, known)
        except BaseException:
            store.run_lock.discard(loads)
            raise
        store.run_lock.discard(loads - {(unit.key, str(unit.settled_by)) for unit in units if unit.keeps_rows})
        checkpoints.reached(checkpoints.WAREHOUSE_COMMITTED)
    return units


def _undo_unsettled(store: Store, requests: Sequence[LoadRequest]) -> bool:
    """Switch back what earlier loads of the same units replaced and did not settle: their run was killed before it validated
    them, or found them wrong. Whether there were any."""
    asked = {
        marker_id(request.marker.pipeline, request.target, request.marker.unit): request.target
        for request in requests
        if request.marker is not None
    }
    left = [record for record in store.replaced() if record.id in asked]
    for record in left:
        restore(store, asked[record.id], record)
    return bool(left)


def _refuse_late_writers(requests: Sequence[LoadRequest], known: dict[Target, dict[str, StoredMarker]]) -> None:
    """Before a row is copied. The publishing transaction asks again."""
    for request in requests:
        marker = request.marker
        if marker is None:
            continue
        stored = known[request.target].get(marker_id(marker.pipeline, request.target, marker.unit))
        if stored is not None:
            refuse_late_writer(stored.marker, marker)


def _prepare(store: Store, requests: Sequence[LoadRequest]) -> list[StagedUnit]:
    facts = make_ready(store, requests)
    engine, allowed = store.engine(), store.settings.ladder
    units: list[StagedUnit] = []
    attempt = uuid.uuid4().hex[:8]
    shared: dict[tuple[Target, str, int], StagingNames] = {}
    times: Counter[tuple[Target, tuple[PartitionRange, ...]]] = Counter()
    for number, request in enumerate(requests, start=1):
        target = facts[request.target]
        entry = choose(target, request.disposition, engine, allowed, loaded=request.schema.names)
        names = StagingNames(store.settings.staging_schema, request.target, number, attempt)
        single = single_partition(store, target, entry.partition) if entry.partition is not None else None
        if entry.rung is Rung.SWITCH and isinstance(request.disposition, ReplaceScope) and single is None:
            # Partitions of one table share their staging tables: each has its own partitions there.
            turn = times[request.target, request.disposition.ranges]  # the same partition again needs tables of its own
            times[request.target, request.disposition.ranges] += 1
            names = shared.setdefault((request.target, str(request.schema), turn), names)
        units.append(StagedUnit(request, target, entry, names, single))
    _decide_what_is_kept(units)
    return units


def _decide_what_is_kept(units: Sequence[StagedUnit]) -> None:
    """The rows that the first load of a unit switches out are kept until its last load was validated."""
    last = {unit.key: unit.request.load_id for unit in units if unit.request.marker is not None}
    for unit in units:
        if unit.request.marker is None or not unit.request.can_be_undone:
            continue
        load_id = last.pop(unit.key, None)
        unit.settled_by = load_id if unit.entry.rung is Rung.SWITCH else None


def _copy(store: Store, units: Sequence[StagedUnit], directory: Path) -> None:
    made: dict[StagingNames, list[Statement]] = {}
    for unit in units:
        if unit.names in made:
            continue
        before, after = (
            copies_of(unit.target, unit.names, unit.single)
            if unit.entry.rung is Rung.SWITCH
            else ([heap_for(unit.target, unit.names.incoming, unit.request.schema)], [])
        )
        text = text_table(unit.target, unit.names.text, unit.request.schema)
        for statement in (*before, *([text] if text is not None else ())):
            store.run(statement, "making a staging table")
        made[unit.names] = after
    with _bulk_session(store) as session:
        _deliver(session, units, directory)
    for unit in units:
        if text_table(unit.target, unit.names.text, unit.request.schema) is not None and unit.names in made:
            columns = conversions(unit.target, unit.request.schema)
            store.run(sections.copy_rows(unit.names.incoming, columns, unit.names.text), "converting staged rows")
        for statement in made.pop(unit.names, ()):
            store.run(statement, "completing a staging table")
        storage = unit.target.storage
        if unit.entry.rung is Rung.SWITCH and storage is not None and storage.kind == CLUSTERED_COLUMNSTORE:
            store.run(compress_row_groups(unit.names.incoming), "compressing staged rows")
    for unit in units:
        _check_rows(store, unit)


def _deliver(session: DataSession | ControlSession, units: Sequence[StagedUnit], directory: Path) -> None:
    by_name = {f"load_{number}": unit for number, unit in enumerate(units)}

    def receive(name: str, path: Path) -> None:
        unit = by_name[name]
        text = text_table(unit.target, unit.names.text, unit.request.schema) is not None
        staging = unit.names.text if text else unit.names.incoming
        unit.rows += copy_file(session, path, unit.target, staging, unit.request.schema)
        checkpoints.reached(checkpoints.WAREHOUSE_STATEMENT)

    files = {name: TableFiles(unit.request.schema, unit.request.files) for name, unit in by_name.items()}
    try:
        deliver(files, receive, directory)
    except PipelineStepFailed as error:
        tables = ", ".join(dict.fromkeys(dotted(*unit.request.target) for unit in units))
        raise WarehouseError(
            f"loading {tables} into the warehouse failed at dlt's step {error.step!r}: {error}",
            remedy="the tables are as they were before this load; correct what the message names and run again",
        ) from error


def _check_rows(store: Store, unit: StagedUnit) -> None:
    """Every row is in staging, and within the range that the load replaces: a row outside of it would be lost, or stay twice."""
    within = store.count(count_rows(unit.names.incoming, unit.scope))
    if within != unit.rows:
        table = dotted(*unit.request.target)
        raise WarehouseError(
            f"{table}: {number_of(unit.rows, 'row')} went into staging, and {within:,} of them within the range of the load",
            remedy="nothing was published; the next run loads the unit again. When it stays so, compare type and collation of "
            "the partition column in source and warehouse",
            table=table,
        )


def _publish(store: Store, units: Sequence[StagedUnit], known: dict[Target, dict[str, StoredMarker]]) -> None:
    targets = sorted({unit.request.target for unit in units}, key=target_digest)
    resources = [(lock_resource(target_digest(target)), dotted(*target)) for target in targets]
    publisher = Publisher(
        store.sessions,
        resources,
        store.settings.lock_seconds,
        lambda: _is_committed(store, units),
        pause=store.settings.pause,
    )
    locks = join("", [take_transaction_lock(resource, 0) for resource, _ in resources])
    while True:
        batch = sections.publish_batch(
            locks,
            [section_of(unit, known[unit.request.target], store.run_lock.token) for unit in units],
            lock_timeout_ms=store.settings.switch_lock_timeout_ms,
            lock_timeout_after_ms=catalog_lock_timeout_ms(store.sessions.database),
        )
        try:
            publisher.publish(batch)
        except SwitchRefused as refused:
            if not _step_down(store, units, refused):
                raise WarehouseError(f"the warehouse: {refused}", number=refused.number) from refused
        except Overtaken as overtaken:
            again = {target: store.markers(target) for target in known}
            _refuse_late_writers([unit.request for unit in units], again)
            raise WarehouseError("a later load reached the warehouse in between", remedy="run again") from overtaken
        else:
            return


def _step_down(store: Store, units: Sequence[StagedUnit], refused: SwitchRefused) -> bool:
    """Take the next rung for the loads that would be switched or whose table would be emptied; False when there are none. The
    server does not say which table it was about, so all of them go."""
    engine, found = store.engine(), False
    blocker = Blocker("server", refused.number, f"the server refused it: {refused}", "see the message")
    for unit in units:
        entry = unit.entry
        whole = not isinstance(unit.request.disposition, ReplaceScope)
        if entry.rung is Rung.SWITCH:
            unit.entry = second_rung(unit.target, entry.span, engine, (*entry.reasons, blocker), whole=whole)
            found = True
        elif entry.rung is Rung.TRUNCATE_AND_INSERT:
            unit.entry = replace(
                entry, rung=Rung.DELETE_AND_INSERT, exclusive=not engine.row_versions, reasons=(*entry.reasons, blocker)
            )
            found = True
    return found


def _is_committed(store: Store, units: Sequence[StagedUnit]) -> bool | None:
    asked = [(unit.request.target, unit.request.marker) for unit in units if unit.request.marker is not None]
    if len(asked) < len(units):
        return None
    found = {target: store.markers(target) for target, _ in asked}
    last = {marker_id(marker.pipeline, target, marker.unit): (target, marker) for target, marker in asked}
    return all(
        (stored := found[target].get(key)) is not None
        and (stored.load_id, stored.fence) == (marker.load_id, marker.fence)
        for key, (target, marker) in last.items()
    )


@contextmanager
def _bulk_session(store: Store) -> Iterator[DataSession | ControlSession]:
    """A session of its own for the rows, of the kind that the config names."""
    open_session = open_data_session if store.settings.bulk_load == "bulkcopy" else open_control_session
    session = open_session(store.sessions.database)
    try:
        yield session
    finally:
        with suppress(SyncError):  # nothing depends on how it ends
            session.close()
