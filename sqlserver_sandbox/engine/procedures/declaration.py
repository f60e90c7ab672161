"""How a system procedure is declared: its parameters, and a function from their values to rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.sysviews.declaration import parse_columns
from sqlserver_sandbox.model import Column

Rows: TypeAlias = "tuple[tuple[Column, ...], list[tuple[Any, ...]]]"
"""The columns of a procedure's result, and its rows."""


@dataclass(frozen=True)
class Procedure:
    """`parameters` are the names in order, without @; `run` gets their values by name, None when not passed."""

    parameters: tuple[str, ...]
    run: Callable[[Execution, dict[str, Any]], Rows]


@dataclass(frozen=True)
class CodeProcedure:
    """A procedure without rows: `run` gives its return code."""

    parameters: tuple[str, ...]
    run: Callable[[Execution, dict[str, Any]], int]


def as_columns(spec: str) -> tuple[Column, ...]:
    """Columns in the notation of `sysviews.declaration.View`."""
    return tuple(Column(c.name, c.type, c.nullable) for c in parse_columns(spec))
