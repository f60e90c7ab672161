"""The columns a table was committed with, compared with those it has now. Reads manifests and the warehouse, writes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from dltsync_core.catalog.schema_changes import (
    ColumnChange,
    DeclaredColumn,
    drift_of,
    representation_changed,
    same_form,
)
from dltsync_core.committed import CommittedUnits
from dltsync_core.lake.manifest import Manifest, in_order
from dltsync_core.plan.definition import check_policy, definition_digest, refusal
from dltsync_core.plan.selection import RunOptions
from dltsync_core.run.context import RunContext
from dltsync_core.run.planning.resolved import ResolvedTable
from dltsync_core.run.planning.warehouse import WarehouseInspection
from dltsync_core.typemap.uuids import type_name


@dataclass(frozen=True)
class Drift:
    """`findings` since the newest committed load; `compatible_digests` the earlier definitions whose units hold the same
    values and can be built upon, with the digest of their columns."""

    findings: tuple[ColumnChange, ...] = ()
    compatible_digests: Mapping[str, str] = field(default_factory=dict)

    def carried_over(self, committed_units: CommittedUnits, schema_digest: str) -> CommittedUnits:
        """The committed units as they would be had the units been probed with the present columns: a probe's signature ends with
        the digest of the columns, and the rest of it is about values."""
        live = {}
        for unit, committed_unit in committed_units.live.items():
            before, signature = (
                self.compatible_digests.get(committed_unit.definition_digest),
                committed_unit.probe.signature,
            )
            if before is not None and signature.endswith(before):
                probe = replace(committed_unit.probe, signature=signature.removesuffix(before) + schema_digest)
                live[unit] = replace(committed_unit, probe=probe)
            else:
                live[unit] = committed_unit
        return CommittedUnits(live, committed_units.generations)


def with_drift(
    context: RunContext,
    resolved: ResolvedTable,
    committed_units: CommittedUnits,
    warehouse: WarehouseInspection,
    options: RunOptions,
) -> tuple[ResolvedTable, Drift]:
    """The table with what its units may be compared with. Raises DriftError when the table's policy, or the warehouse,
    does not allow what happened."""
    if committed_units.live and all(
        committed_unit.definition_digest == resolved.definition.definition_digest
        for committed_unit in committed_units.live.values()
    ):
        return resolved, Drift()
    units = context.lake.inspect(
        resolved.name
    ).units  # it raises nothing for damaged manifests: recovery deals with them
    findings = _since_newest(resolved, committed_units, [manifest for loads in units.values() for manifest in loads])
    policy, accepted = resolved.config.schema_drift, resolved.config.name in options.accepted_drift
    check_policy(resolved.name, policy, findings, accepted=accepted)
    check_warehouse(resolved, warehouse, findings)
    # After an answer all units are read, so that the newest load has the answer and the question is not asked twice.
    compatible_digests = {} if policy == "ask" and findings else _compatible_digests(resolved, committed_units, units)
    return replace(
        resolved, definition=replace(resolved.definition, compatible_digests=frozenset(compatible_digests))
    ), Drift(findings, compatible_digests)


def _since_newest(
    resolved: ResolvedTable, committed_units: CommittedUnits, manifests: Iterable[Manifest]
) -> tuple[ColumnChange, ...]:
    committed = {committed_unit.load_id for committed_unit in committed_units.live.values()}
    known = [manifest for manifest in manifests if not committed or manifest.load_id in committed]
    return _compared(resolved, in_order(known)[-1]) if known else ()


def _compared(resolved: ResolvedTable, manifest: Manifest) -> tuple[ColumnChange, ...]:
    left_out = [column.name for column in resolved.mapping.left_out]
    return drift_of(resolved.name, _committed_columns(manifest), _columns_now(resolved), left_out=left_out)


def check_warehouse(
    resolved: ResolvedTable, warehouse: WarehouseInspection, findings: tuple[ColumnChange, ...] = ()
) -> None:
    """Raises DriftError when the warehouse table, as it is now, cannot take the rows: asked before anything is published."""
    error = warehouse.table(resolved).refusal
    if error is not None:
        raise refusal(resolved.name, findings, error.problem, error.remedy) from error


def _compatible_digests(
    resolved: ResolvedTable, committed_units: CommittedUnits, units: Mapping[str, tuple[Manifest, ...]]
) -> dict[str, str]:
    """Shapes that differ from the present one in columns only, and only so that no stored value can be another one."""
    digests: dict[str, str] = {}
    refused: set[str] = set()
    judged: dict[tuple[object, ...], bool] = {}
    for unit, committed_unit in committed_units.live.items():
        if committed_unit.definition_digest == resolved.definition.definition_digest:
            continue
        for manifest in units.get(unit, ()):
            key = (committed_unit.definition_digest, manifest.schema_digest, manifest.columns)
            if key not in judged:
                judged[key] = _is_compatible(resolved, committed_unit.definition_digest, manifest)
            digests[committed_unit.definition_digest] = manifest.schema_digest
            if not judged[key]:
                refused.add(committed_unit.definition_digest)
    return {definition: digest for definition, digest in digests.items() if definition not in refused}


def _is_compatible(resolved: ResolvedTable, committed: str, manifest: Manifest) -> bool:
    as_then = definition_digest(
        resolved.facts,
        resolved.config,
        schema_digest=manifest.schema_digest,
        target=resolved.target,
        keys=resolved.keys,
        column_ids=[column.column_id for column in manifest.columns],
    )
    before, now = _committed_columns(manifest), _columns_now(resolved)
    if (
        as_then != committed
        or representation_changed(before, now)
        or any(finding.rereads for finding in _compared(resolved, manifest))
    ):
        return False
    # A table of one unit is read whole anyway when its files would look otherwise: increments are counted across files.
    return resolved.config.kind == "partition" or same_form(before, now)


def _committed_columns(manifest: Manifest) -> list[DeclaredColumn]:
    return [
        DeclaredColumn(c.name, c.sql_type, c.nullable, c.collation, c.type, c.representation, c.column_id)
        for c in manifest.columns
    ]


def _columns_now(resolved: ResolvedTable) -> list[DeclaredColumn]:
    return [
        DeclaredColumn(
            m.name,
            str(m.contract["sql_type"]),
            m.column.is_nullable,
            m.column.collation,
            type_name(m.field.type),
            m.source.value,
            m.column.column_id,
        )
        for m in resolved.mapping.columns
    ]
