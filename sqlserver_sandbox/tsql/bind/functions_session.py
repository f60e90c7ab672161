"""Functions on the session's state: the error of a CATCH block, application locks, permissions, XACT_STATE and rowversions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlserver_sandbox.model import SqlError, SqlType
from sqlserver_sandbox.tsql.bind.arguments import INT, exactly, known_text, nvarchar
from sqlserver_sandbox.tsql.bind.bound import Bound, constant
from sqlserver_sandbox.tsql.bind.permissions import has_permission

if TYPE_CHECKING:
    from sqlserver_sandbox.tsql.bind.protocols import ExpressionBinder
    from sqlserver_sandbox.tsql.syntax import Call


def _of_error(declared: SqlType, value: Callable[[SqlError], object]) -> Callable[[ExpressionBinder, Call], Bound]:
    """NULL outside a CATCH block (SQL Server docs: ERROR_NUMBER)."""

    def rule(binder: ExpressionBinder, node: Call) -> Bound:
        exactly(binder, node, 0)
        caught = binder.context.facts.caught
        return constant(None if caught is None else value(caught), declared)

    return rule


def _lock_mode(binder: ExpressionBinder, node: Call) -> Bound:
    principal, resource, owner = (known_text(a, "APPLOCK_MODE arguments") for a in exactly(binder, node, 3))
    held = "NoLock"
    if principal is not None and resource is not None and owner is not None:
        held = binder.context.facts.application_locks.mode(principal, resource, owner.capitalize())
    return constant(held, nvarchar(32))


def _lock_test(binder: ExpressionBinder, node: Call) -> Bound:
    principal, resource, mode, owner = (known_text(a, "APPLOCK_TEST arguments") for a in exactly(binder, node, 4))
    if principal is None or resource is None or mode is None or owner is None:
        return constant(None, SqlType("smallint"))
    free = binder.context.facts.application_locks.would_get(principal, resource, mode)
    return constant(int(free), SqlType("smallint"))


def _min_active_rowversion(binder: ExpressionBinder, node: Call) -> Bound:
    exactly(binder, node, 0)
    return constant(binder.context.facts.min_active_rowversion.to_bytes(8, "big"), SqlType("binary", 8))


def _xact_state(binder: ExpressionBinder, node: Call) -> Bound:
    exactly(binder, node, 0)
    return constant(binder.context.facts.xact_state, SqlType("smallint"))


RULES: dict[str, Callable[[ExpressionBinder, Call], Bound]] = {
    "error_number": _of_error(INT, lambda e: e.number),
    "error_message": _of_error(nvarchar(4000), lambda e: e.message),
    "error_severity": _of_error(INT, lambda e: e.class_),
    "error_state": _of_error(INT, lambda e: e.state),
    "error_line": _of_error(INT, lambda e: e.line),
    "error_procedure": _of_error(nvarchar(128), lambda e: None),
    "has_perms_by_name": has_permission,
    "applock_mode": _lock_mode,
    "applock_test": _lock_test,
    "min_active_rowversion": _min_active_rowversion,
    "xact_state": _xact_state,
}
