"""The rules of SWITCH in the order in which they are looked at. None changes anything; the first that is broken raises."""

from __future__ import annotations

from sqlserver_sandbox.engine.switching.columns import check_columns
from sqlserver_sandbox.engine.switching.sides import Side, failed


def check_switch(source: Side, target: Side) -> None:
    """Everything but whether the target is empty. Raises the number that SQL Server has for the rule."""
    if source.table.object_id == target.table.object_id:
        raise failed(4955, f"The source and target tables are the same: '{source.name}'.")
    check_columns(source, target)
