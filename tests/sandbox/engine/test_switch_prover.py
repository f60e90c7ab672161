"""What a CHECK proves of a column is true of every row that the CHECK lets through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqlserver_sandbox.engine.switching.prover import values_of
from sqlserver_sandbox.engine.switching.ranges import EVERYTHING, Edge, Values, outside, partition_values
from sqlserver_sandbox.model import SqlType
from sqlserver_sandbox.tsql.catalogue import PartitionFunction, TableColumn
from sqlserver_sandbox.tsql.constraints import Check

COLUMN = TableColumn(1, "k", SqlType("int"))
SMALL = st.integers(-6, 6)
OPERATORS: dict[str, Callable[[int, int], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
}


@dataclass(frozen=True)
class Tried:
    """A condition as T-SQL has it, and whether a value keeps it: None is unknown, as for NULL."""

    text: str
    keeps: Callable[[int | None], bool | None]


def _comparison(operator: str, value: int, *, flipped: bool) -> Tried:
    test = OPERATORS[operator]
    if flipped:
        return Tried(f"{value} {operator} k", lambda k: None if k is None else test(value, k))
    return Tried(f"k {operator} {value}", lambda k: None if k is None else test(k, value))


def _null(negated: bool) -> Tried:
    return Tried(f"k IS {'NOT ' if negated else ''}NULL", lambda k: (k is None) != negated)


def _not(inner: Tried) -> Tried:
    def keeps(k: int | None) -> bool | None:
        held = inner.keeps(k)
        return None if held is None else not held

    return Tried(f"NOT ({inner.text})", keeps)


def _joined(operator: str, parts: list[Tried]) -> Tried:
    decisive = operator == "OR"

    def keeps(k: int | None) -> bool | None:
        held = [p.keeps(k) for p in parts]
        if decisive in held:
            return decisive
        return None if None in held else not decisive

    return Tried(f" {operator} ".join(f"({p.text})" for p in parts), keeps)


LEAVES = st.one_of(
    st.builds(_comparison, st.sampled_from(sorted(OPERATORS)), SMALL, flipped=st.booleans()),
    st.builds(_null, st.booleans()),
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(_not, inner),
        st.builds(_joined, st.sampled_from(["AND", "OR"]), st.lists(inner, min_size=2, max_size=3)),
    ),
    max_leaves=8,
)


def holds(values: Values, k: int | None) -> bool:
    """Whether a value is among them."""
    if k is None:
        return values.null
    return any(r.low <= Edge(-1, k) and Edge(1, k) <= r.high for r in values.ranges)


@settings(max_examples=300, deadline=None)
@given(CONDITIONS)
def test_the_values_of_a_check_are_those_it_does_not_refuse(tried: Tried) -> None:
    values = values_of(Check(1, "ck", f"({tried.text})"), COLUMN)
    for k in (None, *range(-8, 9)):
        assert holds(values, k) == (tried.keeps(k) is not False), k


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(SMALL, st.none()), max_size=4, unique=True), st.booleans())
def test_each_value_is_in_one_partition(boundaries: list[int | None], right: bool) -> None:
    ordered = sorted(boundaries, key=lambda b: (b is not None, b or 0))
    function = PartitionFunction(1, "pf", SqlType("int"), right, tuple(ordered), "")
    partitions = [partition_values(function, n) for n in range(1, function.fanout + 1)]
    for k in (None, *range(-8, 9)):
        assert sum(holds(p, k) for p in partitions) == 1, k
    for one in partitions:
        assert one.within(EVERYTHING)
        assert all(one is other or not one.meet(other).ranges for other in partitions)


@settings(max_examples=200, deadline=None)
@given(CONDITIONS, CONDITIONS)
def test_meeting_joining_and_leaving_out(first: Tried, second: Tried) -> None:
    one, other = (values_of(Check(1, "ck", f"({t.text})"), COLUMN) for t in (first, second))
    both, either, rest = one.meet(other), one.join(other), Values(outside(one), null=not one.null)
    for k in (None, *range(-8, 9)):
        assert holds(both, k) == (holds(one, k) and holds(other, k))
        assert holds(either, k) == (holds(one, k) or holds(other, k))
        assert holds(rest, k) != holds(one, k)
    assert both.within(one)
    assert one.within(either)


@pytest.mark.parametrize("text", ["(abs([k])<(3))", "([k]+(1)>(3))", "(CONVERT([bigint],[k])>(3))"])
def test_what_is_not_understood_proves_nothing(text: str) -> None:
    assert values_of(Check(1, "ck", text), COLUMN) == EVERYTHING
