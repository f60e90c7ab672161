"""$PARTITION and the search of a boundary, as DuckDB text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlserver_sandbox.model import SqlError, SqlType
from sqlserver_sandbox.tsql.bind.bound import Bound, constant
from sqlserver_sandbox.tsql.bind.comparison import order_key
from sqlserver_sandbox.tsql.bind.conversions import convert
from sqlserver_sandbox.tsql.values.storage import decode_value

if TYPE_CHECKING:
    from sqlserver_sandbox.tsql.bind.protocols import ExpressionBinder
    from sqlserver_sandbox.tsql.catalogue import PartitionFunction
    from sqlserver_sandbox.tsql.syntax import PartitionNumber


def bind_partition_number(binder: ExpressionBinder, node: PartitionNumber) -> Bound:
    """The partition of any value, whether rows are there or not; 245, 8115 … when the value does not convert."""
    database = binder.context.database
    function = database.function(node.function)
    if function is None:
        raise SqlError(208, f"Invalid object name '{node.function}'.")
    operand = convert(binder.bind(node.operand), function.type, explicit=False)
    return Bound(partition_number_sql(function, operand), SqlType("int"), False)


def partition_number_sql(function: PartitionFunction, operand: Bound) -> str:
    """1-based, as a balanced tree of comparisons: as many as a binary search makes."""
    values = [decode_value(b, function.type) for b in function.boundaries]
    # A NULL boundary sorts first. Left of every other value, it only decides where NULL itself goes.
    nulls = sum(v is None for v in values)
    key = order_key(operand)
    keys = [order_key(constant(v, function.type)) for v in values[nulls:]]
    tree = _search(key, keys, 0, len(keys), nulls + 1, right=function.right)
    for_null = 2 if function.right and nulls else 1
    return f"CASE WHEN {operand.sql} IS NULL THEN {for_null} ELSE {tree} END"


def _search(key: str, keys: list[str], low: int, high: int, base: int, *, right: bool) -> str:
    """The number for values between keys[low-1] and keys[high]."""
    if low == high:
        return str(low + base)
    middle = (low + high) // 2
    test = f"{key} {'<' if right else '<='} {keys[middle]}"
    below = _search(key, keys, low, middle, base, right=right)
    above = _search(key, keys, middle + 1, high, base, right=right)
    return f"CASE WHEN {test} THEN {below} ELSE {above} END"
