"""The shape a table was committed in, beside the one it has now. Looks at manifests and the warehouse, writes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from dltsync_core.catalog.drift import DeclaredColumn, Finding, chosen_anew, drift_of, same_form
from dltsync_core.errors import DriftError
from dltsync_core.lake.manifest import Manifest, in_order
from dltsync_core.plan.drift import check_policy, refusal
from dltsync_core.plan.heads import TableHeads
from dltsync_core.plan.intent import Intent
from dltsync_core.plan.shape import shape_of
from dltsync_core.run.prepared import TableShape
from dltsync_core.run.services import Services


@dataclass(frozen=True)
class Drift:
    """`findings` since the newest committed load; `kin` the earlier shapes whose units hold the same values and can be built
    upon, with the digest of their columns."""

    findings: tuple[Finding, ...] = ()
    kin: Mapping[str, str] = field(default_factory=dict)
    warehouse_checked: bool = False
    """Whether the warehouse was asked if it takes the present shape."""

    def carried_over(self, heads: TableHeads, schema_digest: str) -> TableHeads:
        """The heads as they would be had the units been probed in the present shape: a probe's signature ends with the digest
        of the columns, and the rest of it is about values."""
        live = {}
        for unit, head in heads.live.items():
            before, signature = self.kin.get(head.shape), head.probe.signature
            if before is not None and signature.endswith(before):
                probe = replace(head.probe, signature=signature.removesuffix(before) + schema_digest)
                live[unit] = replace(head, probe=probe)
            else:
                live[unit] = head
        return TableHeads(live, heads.generations)


def with_drift(services: Services, shape: TableShape, heads: TableHeads, intent: Intent) -> tuple[TableShape, Drift]:
    """The shape with what its units may be compared with. Raises DriftError when the table's policy, or the warehouse,
    does not allow what happened."""
    if heads.live and all(head.shape in shape.basis.names for head in heads.live.values()):
        return shape, Drift()
    units = services.lake.survey(shape.name).units  # it raises nothing for damaged manifests: recovery deals with them
    findings = _since_newest(shape, heads, [manifest for loads in units.values() for manifest in loads])
    policy, accepted = shape.config.schema_drift, shape.config.name in intent.accepted_drift
    check_policy(shape.name, policy, findings, accepted=accepted)
    check_warehouse(services, shape, findings)
    # After an answer all units are read, so that the newest load says what was answered and nobody is asked twice.
    kin = {} if policy == "ask" and findings else _kin(shape, heads, units)
    return replace(shape, basis=replace(shape.basis, kin=frozenset(kin))), Drift(findings, kin, warehouse_checked=True)


def _since_newest(shape: TableShape, heads: TableHeads, manifests: Iterable[Manifest]) -> tuple[Finding, ...]:
    committed = {head.load_id for head in heads.live.values()}
    known = [manifest for manifest in manifests if not committed or manifest.load_id in committed]
    return _compared(shape, in_order(known)[-1]) if known else ()


def _compared(shape: TableShape, manifest: Manifest) -> tuple[Finding, ...]:
    left_out = [column.name for column in shape.mapping.left_out]
    return drift_of(shape.name, _committed_columns(manifest), _columns_now(shape), left_out=left_out)


def check_warehouse(services: Services, shape: TableShape, findings: tuple[Finding, ...] = ()) -> None:
    """Raises DriftError when the warehouse table, as it is now, cannot take the rows: asked before anything is published."""
    try:
        with services.warehouse_turn:
            services.warehouse.check_shape(shape.target, shape.mapping.schema)
    except DriftError as error:
        raise refusal(shape.name, findings, error.problem, error.remedy) from error


def _kin(shape: TableShape, heads: TableHeads, units: Mapping[str, tuple[Manifest, ...]]) -> dict[str, str]:
    """Shapes that differ from the present one in columns only, and only so that no stored value can be another one."""
    digests: dict[str, str] = {}
    refused: set[str] = set()
    judged: dict[tuple[object, ...], bool] = {}
    for unit, head in heads.live.items():
        if head.shape in shape.basis.names:
            continue
        for manifest in units.get(unit, ()):
            key = (head.shape, manifest.schema_digest, manifest.columns)
            if key not in judged:
                judged[key] = _is_kin(shape, head.shape, manifest)
            digests[head.shape] = manifest.schema_digest
            if not judged[key]:
                refused.add(head.shape)
    return {shape_then: digest for shape_then, digest in digests.items() if shape_then not in refused}


def _is_kin(shape: TableShape, committed: str, manifest: Manifest) -> bool:
    as_then = shape_of(
        shape.facts,
        shape.config,
        schema_digest=manifest.schema_digest,
        target=shape.target,
        keys=shape.keys,
        column_ids=[column.column_id for column in manifest.columns if column.column_id],
    )
    before, now = _committed_columns(manifest), _columns_now(shape)
    if (
        as_then != committed
        or chosen_anew(before, now)
        or any(finding.rereads for finding in _compared(shape, manifest))
    ):
        return False
    # A table of one unit is read whole anyway when its files would look otherwise: increments are counted across files.
    return shape.config.kind == "partition" or same_form(before, now)


def _committed_columns(manifest: Manifest) -> list[DeclaredColumn]:
    return [
        DeclaredColumn(c.name, c.sql_type, c.nullable, c.collation, c.type, c.representation, c.column_id)
        for c in manifest.columns
    ]


def _columns_now(shape: TableShape) -> list[DeclaredColumn]:
    return [
        DeclaredColumn(
            m.name,
            str(m.contract["sql_type"]),
            m.column.is_nullable,
            m.column.collation,
            str(m.field.type),
            m.source.value,
            m.column.column_id,
        )
        for m in shape.mapping.columns
    ]
