"""Which way a load takes into its table, and what stands against the better ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.catalog.targets import CLUSTERED, NONCLUSTERED, CheckFacts, ForeignKeyFacts, IndexFacts, TargetFacts
from dltsync_core.errors import WarehouseError
from dltsync_core.identity import TableName
from dltsync_core.plan.steps import Disposition, MergeKeys, ReplaceTable, UpsertKeys
from dltsync_core.warehouse.sqlserver.ladder import Engine, Entry, LadderSettings, Rung, choose
from dltsync_core.warehouse.sqlserver.preflight import switch_blockers, truncate_blockers
from tests.core.warehouse.sqlserver.targets import KEY, MONTHS, scope, target
from tests.support.table_facts import column

RCSI = Engine(3, row_versions=True)
LOCKING = Engine(3, row_versions=False)
FABRIC = Engine(12, row_versions=True)


def _choose(facts: TargetFacts, disposition: Disposition, engine: Engine = RCSI, **settings: bool) -> Entry:
    return choose(facts, disposition, engine, LadderSettings(**settings))


@pytest.mark.parametrize("number", range(4))
def test_a_partition_of_a_target_with_the_same_boundaries_is_switched(number: int) -> None:
    entry = _choose(target(), scope(number))
    assert (entry.rung, entry.reasons) == (Rung.SWITCH, ())
    assert entry.span is not None
    assert (entry.span.count, entry.span.range) == (1, scope(number).ranges[0])


def test_a_partition_that_the_source_merged_is_switched_with_both_of_the_targets() -> None:
    merged: list[str | None] = ["2024-01-01", "2024-03-01"]
    entry = _choose(target(), scope(1, merged))
    assert entry.rung is Rung.SWITCH
    assert entry.span is not None
    assert entry.span.count == 2


@pytest.mark.parametrize(
    ("facts", "part", "rule"),
    [
        (target(boundaries=["2024-01-01"]), scope(1), "boundary"),
        (target(side="left"), scope(1), "boundary"),
        (target(boundaries=None), scope(1), "not_partitioned"),
    ],
)
def test_a_target_without_the_units_boundaries_gets_its_rows_deleted_and_inserted(
    facts: TargetFacts, part: Any, rule: str
) -> None:
    entry = _choose(facts, part)
    assert entry.rung is Rung.DELETE_AND_INSERT
    assert [blocker.rule for blocker in entry.reasons] == [rule]


def test_a_whole_table_is_switched_with_all_its_partitions_or_without_any() -> None:
    plain = _choose(target(boundaries=None), ReplaceTable())
    assert (plain.rung, plain.span) == (Rung.SWITCH, None)
    parts = _choose(target(), ReplaceTable())
    assert parts.span is not None
    assert (parts.rung, parts.span.count) == (Rung.SWITCH, len(MONTHS) + 1)


@pytest.mark.parametrize("disposition", [MergeKeys(("id",)), UpsertKeys(("id",))])
def test_rows_are_merged_by_key_whatever_stands_against_switching(disposition: Disposition) -> None:
    assert _choose(target(obstacles=(("referenced", "FK"),)), disposition).rung is Rung.MERGE


def test_without_row_versions_partitions_are_emptied_and_with_them_rows_are_deleted() -> None:
    blocked = target(checks=(CheckFacts("CK", None),))
    assert _choose(blocked, scope(1), RCSI).rung is Rung.DELETE_AND_INSERT
    assert _choose(blocked, scope(1), RCSI).exclusive is False
    assert _choose(blocked, scope(1), LOCKING).rung is Rung.TRUNCATE_AND_INSERT


def test_a_table_that_can_be_neither_switched_nor_truncated_is_locked_before_its_rows_are_deleted() -> None:
    entry = _choose(target(obstacles=(("change_tracking", "x"),)), scope(1), LOCKING)
    assert (entry.rung, entry.exclusive) == (Rung.DELETE_AND_INSERT, True)
    unaligned = replace(KEY, kind=NONCLUSTERED, function_id=None, scheme=None)
    entry = _choose(target(indexes=(KEY, unaligned)), scope(1), LOCKING)
    assert (entry.rung, entry.exclusive) == (Rung.DELETE_AND_INSERT, True)


def test_switching_can_be_switched_off_and_is_off_in_fabric() -> None:
    entry = _choose(target(), scope(1), switching=False)
    assert (entry.rung, [b.rule for b in entry.reasons]) == (Rung.DELETE_AND_INSERT, ["switched_off"])
    assert _choose(target(), scope(1), FABRIC).rung is Rung.DELETE_AND_INSERT


@pytest.mark.parametrize("disposition", [scope(1), ReplaceTable()])
def test_a_table_that_foreign_keys_reference_is_refused_unless_the_config_says_so(disposition: Disposition) -> None:
    referenced = target(obstacles=(("referenced", "FK_lines"), ("referenced", "FK_more")))
    with pytest.raises(WarehouseError, match=r"(?s)FK_lines and others.*allow_referenced_targets"):
        _choose(referenced, disposition)
    entry = _choose(referenced, disposition, LOCKING, referenced_targets=True)
    assert entry.rung is Rung.DELETE_AND_INSERT
    assert [b.number for b in entry.reasons] == [4967, 4967]


def _with(*indexes: IndexFacts) -> TargetFacts:
    return target(indexes=(KEY, *indexes))


REFERENCE = ForeignKeyFacts("FK", ("id",), TableName("dbo", "Numbers"), ("No",))
ALIGNED = IndexFacts("IX", NONCLUSTERED, scheme="ps", function_id=7, keys=(("id", False),), added="day")
BROKEN: dict[str, tuple[TargetFacts, int | None]] = {
    "unaligned_index": (_with(replace(ALIGNED, function_id=None, scheme=None)), 7733),
    "index_filtered": (_with(replace(ALIGNED, has_filter=True)), 4947),
    "index_columnstore": (_with(replace(ALIGNED, kind="NONCLUSTERED COLUMNSTORE")), 4947),
    "special_index": (_with(replace(ALIGNED, kind="XML")), 4983),
    "disabled_index": (target(indexes=(replace(KEY, is_disabled=True),)), 4914),
    "read_only": (_with(replace(ALIGNED, is_read_only=True)), 4978),
    "temporal_current": (target(properties={"temporal_type": 2}), 13546),
    "cdc": (target(properties={"is_tracked_by_cdc": True}), 22842),
    "merge": (target(properties={"is_merge_published": True}), 4941),
    "replicated": (target(properties={"is_replicated": True}), None),
    "ledger": (target(properties={"ledger_type": 2}), None),
    "memory": (target(properties={"is_memory_optimized": True}), None),
    "ansi_nulls": (target(properties={"uses_ansi_nulls": 0}), None),
    "text_in_row": (target(properties={"text_in_row_limit": 256}), 4954),
    "out_of_row": (target(properties={"large_value_types_out_of_row": True}), 4993),
    "referenced": (target(obstacles=(("referenced", "FK"),)), 4967),
    "foreign_key": (target(foreign_keys=(replace(REFERENCE, acts=True),)), 4968),
    "foreign_key_disabled": (target(foreign_keys=(replace(REFERENCE, is_disabled=True),)), 4968),
    "check_unseen": (target(checks=(CheckFacts("CK", None),)), 4970),
    "check_not_for_replication": (target(checks=(CheckFacts("CK", "([id]>(0))", is_not_for_replication=True),)), 4975),
    "change_tracking": (target(obstacles=(("change_tracking", "x"),)), 4900),
    "full_text": (target(obstacles=(("full_text", "x"),)), 4918),
    "rowguidcol": (target(obstacles=(("rowguidcol", "g"),)), 4958),
    "padding": (target(obstacles=(("ansi_padding", "c"),)), 4952),
    "rule": (target(obstacles=(("rule", "c"),)), 4964),
    "masked": (target(obstacles=(("masked", "c"),)), None),
    "xml_collection": (target(obstacles=(("xml_collection", "x"),)), 4987),
    "view": (target(obstacles=(("indexed_view", "v"),)), 11400),
    "row_filter": (target(obstacles=(("row_filter", "p"),)), None),
}
COLUMNS: dict[str, tuple[ColumnFacts, int | None]] = {
    "computed": (column("c", "int", 3, is_computed=True), 4965),
    "sparse": (column("c", "int", 3, is_sparse=True), 11412),
    "filestream": (column("c", "varbinary", 3, is_filestream=True), 4951),
    "encrypted": (column("c", "int", 3, is_encrypted=True), None),
    "period": (column("c", "datetime2", 3, generated="row_start"), 13577),
    "rowversion": (column("c", "rowversion", 3), 4944),
    "clr": (column("c", "geometry", 3, is_clr=True), 4944),
}
BROKEN |= {name: (target(facts), number) for name, (facts, number) in COLUMNS.items()}


@pytest.mark.parametrize("rule", sorted(BROKEN))
def test_each_broken_rule_is_named_with_its_error_and_what_to_do(rule: str) -> None:
    facts, number = BROKEN[rule]
    (blocker,) = switch_blockers(facts, 3)
    assert blocker.number == number
    assert blocker.problem
    assert blocker.remedy
    assert str(number) in str(blocker) or number is None
    entry = _choose(facts, scope(1), referenced_targets=True)
    assert (entry.rung, entry.reasons) == (Rung.DELETE_AND_INSERT, (blocker,))


def test_an_identity_column_that_the_load_does_not_have_stands_against_switching() -> None:
    facts = target(column("Number", "int", 3, is_nullable=False, is_identity=True))
    engine, names = RCSI, [column.name for column in facts.table.columns]
    assert (
        choose(facts, scope(1), engine, LadderSettings(), loaded=[name.upper() for name in names]).rung is Rung.SWITCH
    )
    entry = choose(facts, scope(1), engine, LadderSettings(), loaded=names[:-1])
    assert (entry.rung, [b.rule for b in entry.reasons]) == (Rung.DELETE_AND_INSERT, ["identity"])
    assert "column Number is an IDENTITY column that the load does not have" in str(entry.reasons[0])


def test_aligned_indexes_identities_and_defaults_stand_against_nothing() -> None:
    identity = column("c", "int", 3, is_identity=True)
    clustered = IndexFacts(
        "CX", CLUSTERED, scheme="ps", function_id=7, keys=(("day", True),), compression=((2, "PAGE"),)
    )
    facts = target(identity, indexes=(clustered, ALIGNED, replace(ALIGNED, is_disabled=True, function_id=None)))
    assert switch_blockers(facts, 5) == ()
    assert truncate_blockers(facts, 5) == ()


def test_truncation_has_its_own_errors() -> None:
    assert [b.number for b in truncate_blockers(target(obstacles=(("referenced", "FK"),)), 3)] == [4712]
    assert [b.number for b in truncate_blockers(target(obstacles=(("indexed_view", "v"),)), 3)] == [4711]
    assert truncate_blockers(target(obstacles=(("check", "CK"), ("foreign_key", "FK"))), 3) == ()
