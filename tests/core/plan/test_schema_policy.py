"""What each policy makes of each kind of drift, decided before anything is read."""

from __future__ import annotations

from typing import get_args

import pytest

from dltsync_core.catalog.schema_changes import ColumnChange, DriftKind
from dltsync_core.config.tables import SchemaDrift
from dltsync_core.errors import DriftError
from dltsync_core.identity import TableName
from dltsync_core.plan.definition import check_policy

TABLE = TableName("sales", "Orders")
KINDS: tuple[DriftKind, ...] = get_args(DriftKind)
POLICIES: tuple[SchemaDrift, ...] = get_args(SchemaDrift)


def finding(kind: DriftKind, column: str = "Amount") -> ColumnChange:
    return ColumnChange(str(TABLE), column, kind, "int", "bigint", f"{column} {kind}")


def stops(policy: SchemaDrift, kind: DriftKind, *, accepted: bool) -> bool:
    """By the page docs/drift.md."""
    if kind in ("reordered", "replaced") or policy == "evolve":
        return False
    return policy == "freeze" or not accepted


@pytest.mark.parametrize("accepted", [False, True])
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_policy_stops_what_the_page_says_it_stops(kind: DriftKind, policy: SchemaDrift, accepted: bool) -> None:
    if not stops(policy, kind, accepted=accepted):
        check_policy(TABLE, policy, [finding(kind)], accepted=accepted)
        return
    with pytest.raises(DriftError) as stopped:
        check_policy(TABLE, policy, [finding(kind), finding("reordered", "No")], accepted=accepted)
    assert f"sales.Orders changed shape: Amount {kind}; schema_drift is {policy}" in stopped.value.problem
    assert "reordered" not in stopped.value.problem
    assert stopped.value.exit_code == 11
    assert ("--accept-drift sales.Orders" in stopped.value.remedy) is (policy == "ask")
    findings = stopped.value.facts["findings"]
    assert isinstance(findings, tuple)
    assert len(findings) == 2


@pytest.mark.parametrize("policy", POLICIES)
def test_without_drift_no_policy_stops_anything(policy: SchemaDrift) -> None:
    check_policy(TABLE, policy, [], accepted=False)


def test_every_change_is_named_at_once() -> None:
    """Whoever has to answer must see all of it."""
    with pytest.raises(DriftError, match="Amount widened; Note added"):
        check_policy(TABLE, "freeze", [finding("widened"), finding("added", "Note")], accepted=True)
