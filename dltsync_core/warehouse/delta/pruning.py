"""Which files of a table can have rows of a scope, or of a load's keys, by what the log says of their values. Where it says
nothing, or not exactly, the answer is that a file may have some: its rows are then read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pyarrow as pa
from duckdb import DuckDBPyConnection

from dltsync_core.duckdb import sql as q
from dltsync_core.duckdb.partition_scope import duckdb_condition, holds_null_rows
from dltsync_core.plan.steps import ReplaceScope
from dltsync_core.ranges import PartitionRange
from dltsync_core.warehouse.delta.data_files import Bounds, DataFile
from dltsync_core.warehouse.delta.query import compared_scope, time_column

_ENDS = "file_ends"
_LOW, _HIGH = "low", "high"
_INEXACT = timedelta(milliseconds=1)
"""Spark writes the ends of moments in whole milliseconds, cut off: the greatest value lies less than one above."""


@dataclass(frozen=True)
class Pruned:
    """Files by what they have of a scope: rows of nothing else, or perhaps some."""

    wholly: tuple[DataFile, ...]
    perhaps: tuple[DataFile, ...]


def pruned(
    connection: DuckDBPyConnection, scope: ReplaceScope, files: Sequence[DataFile], bounds: Mapping[str, Bounds]
) -> Pruned:
    """The files that a scope concerns. `bounds` are those of its column, by path."""
    known = [each for each in files if each.path in bounds]
    if time_column(scope) is not None or not known:
        return Pruned((), tuple(files))
    kind = compared_scope(scope).arrow_type
    if pa.types.is_decimal(kind):  # the log has them as floats
        return Pruned((), tuple(files))
    highest = [_raised(bounds[each.path].high) for each in known]
    ends = {
        "number": pa.array(range(len(known)), pa.int64()),
        _LOW: pa.array([bounds[each.path].low for each in known], kind),
        _HIGH: pa.array(highest, kind),
        "nulls": pa.array([bounds[each.path].nulls for each in known], pa.int64()),
    }
    connection.register(_ENDS, pa.table(ends))
    holds_null = any(holds_null_rows(each) for each in scope.ranges)
    has_nulls = q.compared("nulls", ">", "0")
    meets, lies_in = [q.all_of([has_nulls, q.EVERYTHING if holds_null else q.NOTHING])], [q.NOTHING]
    for each in scope.ranges:
        above = _on(scope, _HIGH, replace(each, upper=None))
        below = _on(scope, _LOW, replace(each, lower=None))
        values = q.all_of([q.is_not_null(_LOW), f"({above})", f"({below})"])
        meets.append(values)
        lies_in.append(q.all_of([f"({_on(scope, end, each)})" for end in (_LOW, _HIGH)]))
    nulls_fit = q.EVERYTHING if holds_null else q.compared("nulls", "=", "0")
    inside = q.all_of([q.is_not_null(_LOW), f"({q.any_of(lies_in)})", nulls_fit])
    rows = connection.execute(q.answers(_ENDS, "number", [q.any_of(meets), inside])).fetchall()
    met = {int(number) for number, is_met, _ in rows if is_met}
    wholly = {int(number) for number, is_met, is_inside in rows if is_met and is_inside}
    if pa.types.is_string(kind):  # other programs cut the ends of texts off
        wholly = set()
    unknown = [each for each in files if each.path not in bounds]
    return Pruned(
        tuple(known[number] for number in sorted(wholly)),
        (*(known[number] for number in sorted(met - wholly)), *unknown),
    )


def may_share_keys(
    one: Mapping[str, Bounds | None], other: Mapping[str, Bounds | None], columns: Sequence[str]
) -> bool:
    """Whether a key can be in two files, by what is known of the values of its columns."""
    return not any(_apart(one.get(column), other.get(column)) for column in columns)


def _apart(one: Bounds | None, other: Bounds | None) -> bool:
    if one is None or other is None or None in (one.low, one.high, other.low, other.high):
        return False
    return bool(_raised(one.high) < other.low or _raised(other.high) < one.low)


def _on(scope: ReplaceScope, end: str, range_: PartitionRange) -> str:
    """A range as a condition on one end of a file's values."""
    compared = compared_scope(scope)
    return duckdb_condition(replace(compared, column=replace(compared.column, name=end), ranges=(range_,)))


def _raised(value: Any) -> Any:
    """The greatest value that a file can have, where the log says `value`."""
    if not hasattr(value, "hour"):
        return value
    try:
        return value + _INEXACT
    except OverflowError:
        return value.max.replace(tzinfo=value.tzinfo)
