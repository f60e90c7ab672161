"""The rules of SWITCH in the order in which they are looked at. None changes anything; the first that is broken raises."""

from __future__ import annotations

from sqlserver_sandbox.engine.switching.columns import check_columns
from sqlserver_sandbox.engine.switching.constraints import (
    check_checks,
    check_foreign_keys,
    check_partition_columns,
    check_range,
)
from sqlserver_sandbox.engine.switching.features import check_features
from sqlserver_sandbox.engine.switching.indexes import check_alignment, check_indexes, check_storage
from sqlserver_sandbox.engine.switching.sides import Side


def check_switch(source: Side, target: Side) -> None:
    """Everything but whether the target is empty. Raises the number that SQL Server has for the rule.

    SQL Server's own order is not documented: with several rules broken it may name another one first.
    """
    check_features(source, target)
    check_alignment(source)
    check_alignment(target)
    check_columns(source, target)
    check_partition_columns(source, target)
    check_indexes(source, target)
    check_storage(source, target)
    check_foreign_keys(source, target)
    check_checks(source, target)
    check_range(source, target)
