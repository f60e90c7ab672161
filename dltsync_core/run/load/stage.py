"""One unit out of the source and into a private place of the lake."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from dltsync_core import checkpoints
from dltsync_core.clock import iso, utc_now
from dltsync_core.committed import Probe
from dltsync_core.config import SCDTableConfig
from dltsync_core.config.memory_budget import DuckDbMemory
from dltsync_core.errors import FidelityError, SyncError, ValidationFailed
from dltsync_core.extract.row_labels import named, shown
from dltsync_core.extract.unit import Extracted, UnitFilter
from dltsync_core.lake.load import FinalFacts, LoadFacts, StagedFiles
from dltsync_core.lake.writer import StagedLoad
from dltsync_core.plan.keys import naming_key
from dltsync_core.plan.steps import Action, Step
from dltsync_core.run.context import RunContext
from dltsync_core.run.events import Event
from dltsync_core.run.load.resume import ResumableRows, ResumableView
from dltsync_core.run.planning.resolved import ResolvedTable, load_identity
from dltsync_core.run.ports import View
from dltsync_core.validate.quality import check_rules
from dltsync_core.warehouse.duckdb.keys import check_keys


def check_warehouse_range(context: RunContext, resolved: ResolvedTable, unit: str, files: Sequence[Path]) -> None:
    """Raises FidelityError for a value that the warehouse's column cannot hold although the lake's can, with its row."""
    key = naming_key(resolved.facts, resolved.keys, resolved.mapping.schema.names)
    schema, turn = resolved.mapping.schema, context.warehouse_turn
    found = context.warehouse.first_misfit(resolved.target, schema, files, key, turn)
    if found is None:
        return
    said = {other: shown(found.row.column(other), 0) for other in found.row.schema.names}
    name, value = named(key, said.__getitem__), said[found.column]
    declared = resolved.contracts[found.column]["sql_type"]
    raise FidelityError(
        f"{resolved.name}: column {found.column} ({declared}) holds {value}, {found.reason}; {name}. "
        "Nothing was published or loaded",
        remedy=found.remedy,
        table=str(resolved.name),
        unit=unit,
        column=found.column,
        row=name,
    )


TELL_EVERY_SECONDS = 0.2
"""How often progress is told while rows arrive: smooth for the eye, nothing for the clock."""


@dataclass(frozen=True)
class Staged:
    """A unit that was read whole and lies verified where nobody sees it.

    `step` is what was really done, `probe` what a commit of it may claim: never later than the rows. `source_rows` counts the
    whole unit in the same read view, also when only an increment of it was read (`rows_read`).
    """

    step: Step
    load_id: str
    probe: Probe
    source_rows: int
    rows_read: int
    load: StagedLoad
    files: StagedFiles
    consistency: str
    seconds: float
    warnings: tuple[str, ...] = ()


def stage_unit(
    context: RunContext, resolved: ResolvedTable, step: Step, load_id: str, committed: str | None, kept: ResumableRows
) -> Staged:
    """Read the rows of `step` in one read view and stage them. Whatever goes wrong, nothing stays behind but, in `kept`, rows
    that the next attempt may take over.

    `committed` is the watermark of the committed unit the step builds upon (scd). Raises what the source and the lake raise, and
    ValidationFailed for keys that repeat or hold NULL or a quality rule of severity error that does not hold, and
    FidelityError for a value that the warehouse cannot hold.
    """
    started = time.perf_counter()
    with ExitStack() as undo:
        # Only reading happens inside the view: a snapshot held open makes the server keep old versions of rows.
        with context.source.read_view(ceiling=resolved.needs_ceiling) as view:
            step, probe = _in_this_view(view, resolved, step, committed)
            load = context.lake.stage(_load_facts(context, resolved, step, load_id))
            undo.callback(load.discard)
            checkpoints.reached(checkpoints.STAGED)
            try:
                extracted = _extract(context, resolved, view, step, load_id, load, kept)
            except SyncError as error:
                kept.keep(view, step, load, error)
                raise
        rows = extracted.counted_rows
        files = load.finish(_final_facts(resolved, probe, rows, step, view.consistency))
        warnings = _check_content(resolved, step, files, context.config.processing.memory.scratch)
        check_warehouse_range(context, resolved, step.unit, [file.path for file in files.files])
        checkpoints.reached(checkpoints.EXTRACTED)
        undo.pop_all()
    return Staged(
        step=step,
        load_id=load_id,
        probe=probe,
        source_rows=probe.rows if step.action is Action.LOAD_INCREMENT else rows,
        rows_read=extracted.rows,
        load=load,
        files=files,
        consistency=view.consistency,
        seconds=time.perf_counter() - started,
        warnings=warnings,
    )


def _in_this_view(view: View, resolved: ResolvedTable, step: Step, committed: str | None) -> tuple[Step, Probe]:
    """The step and the probe as this read view sees them.

    The plan's probe is older than these rows. For partitions and static tables that is the safe side: what changed in
    between differs from the committed probe and is read next time. A watermark must fit the rows exactly, and its digest
    must be the one the next plan will compute, so both are taken here.
    """
    if not isinstance(resolved.config, SCDTableConfig):
        if step.probe is None:
            raise ValueError(f"{step.table} {step.unit}: a step that loads carries its probe")
        return step, step.probe
    probe = view.probe_scd(resolved.facts, resolved.mapping, resolved.config, committed)
    if probe.watermark_high != committed:
        probe = view.probe_scd(resolved.facts, resolved.mapping, resolved.config, probe.watermark_high)
    if step.action is Action.LOAD_INCREMENT and probe.watermark_high is None:
        return replace(step, action=Action.LOAD, window_low=None, window_high=None), probe
    if step.action is Action.LOAD_INCREMENT:
        return replace(step, window_high=_window_high(resolved, probe)), probe
    return step, probe


def _window_high(resolved: ResolvedTable, probe: Probe) -> str | None:
    """The highest position seen; open for a rowversion. There the watermark stays below transactions that are still open,
    while rows above it are in the count already: they are read now, and once more when the watermark has passed them."""
    return None if resolved.window_column().type_name == "rowversion" else probe.watermark_high


def _filter(resolved: ResolvedTable, step: Step) -> UnitFilter:
    if step.action is not Action.LOAD_INCREMENT:
        return resolved.filter_of(step.unit)
    return UnitFilter(window_column=resolved.window_column(), window_low=step.window_low, window_high=step.window_high)


def _extract(
    context: RunContext,
    resolved: ResolvedTable,
    view: View,
    step: Step,
    load_id: str,
    load: StagedLoad,
    kept: ResumableRows,
) -> Extracted:
    expected = step.probe.rows if step.probe is not None and step.action is Action.LOAD else None
    told = 0.0

    def say(rows: int) -> None:
        context.reporter.say(
            Event("extracting", step.table, step.unit, load_id, rows, expected_rows=expected, bytes=load.bytes)
        )

    def write(batch: pa.RecordBatch) -> None:
        nonlocal told
        context.raise_if_stopped()
        load.write(batch)
        if told == 0.0:
            checkpoints.reached(checkpoints.FIRST_BATCH)
        if time.monotonic() - told >= TELL_EVERY_SECONDS:
            told = time.monotonic()
            say(load.rows)

    unit = _filter(resolved, step)
    after = kept.bring_back(context, resolved, view, unit, load)
    say(load.rows)
    if after is not None and isinstance(view, ResumableView):
        return view.extract_rest(resolved.facts, resolved.mapping, unit, write, after=after, staged_rows=load.rows)
    return view.extract(resolved.facts, resolved.mapping, unit, write)


def _load_facts(context: RunContext, resolved: ResolvedTable, step: Step, load_id: str) -> LoadFacts:
    slot, processing, database = resolved.slot(step.unit), context.config.processing, context.config.database
    return LoadFacts(
        identity=load_identity(context, resolved, step.unit, load_id),
        schema=resolved.mapping.schema,
        source_server=database.server,
        source_database=database.database,
        row_group_rows=processing.row_group_rows,
        row_group_bytes=processing.memory.row_group_bytes,
        compression=processing.compression,
        partition_range=slot.range if slot is not None else None,
        window_low=step.window_low,
        window_high=step.window_high,
        contracts=resolved.contracts,
        column_ids={m.name: m.column.column_id for m in resolved.mapping.columns},
    )


def _final_facts(resolved: ResolvedTable, probe: Probe, rows: int, step: Step, consistency: str) -> FinalFacts:
    return FinalFacts(
        counted_rows=rows,
        probe=probe,
        schema_digest=resolved.mapping.schema_digest,
        consistency=consistency,
        extracted_at=iso(utc_now()),
        watermark_low=step.window_low,
    )


def _check_content(resolved: ResolvedTable, step: Step, files: StagedFiles, memory: DuckDbMemory) -> tuple[str, ...]:
    """Keys and quality rules, on the closed files. The warnings; raises ValidationFailed for the rest."""
    paths = [file.path for file in files.files]
    if resolved.merge_key is not None:
        check_keys(resolved.merge_key, step.unit, paths, memory)
    findings = check_rules(resolved.rules, paths, memory)
    errors = [str(finding) for finding in findings if finding.severity == "error"]
    if errors:
        raise ValidationFailed(
            f"{resolved.name}: quality rules do not hold: {'; '.join(errors)}",
            remedy="correct the rows at the source, or relax the rule; what was loaded before is still in place",
            table=str(resolved.name),
            unit=step.unit,
        )
    return tuple(str(finding) for finding in findings)
