"""sp_getapplock and sp_releaseapplock: they answer with a return code (SQL Server docs: sp_getapplock)."""

from __future__ import annotations

from typing import Any

from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.store.application_locks import MODES, OWNERS, WRONG_CALL, ApplicationLocks
from sqlserver_sandbox.engine.store.locks import TRANSACTION
from sqlserver_sandbox.model import SqlError


def _known(value: object, known: tuple[str, ...], default: str | None = None) -> str | None:
    """The word as it is written here, whatever its case; None for one that is not known."""
    text = str(default if value is None else value).lower()
    return next((word for word in known if word.lower() == text), None)


def _locks(execution: Execution) -> ApplicationLocks:
    session = execution.session
    return ApplicationLocks(session.store.locks, session.login.spid, session.database_id)


def get_lock(execution: Execution, values: dict[str, Any]) -> int:
    """0 granted, 1 granted after waiting, -1 timed out, -3 deadlock victim, -999 a wrong call."""
    transaction = execution.transaction
    mode = _known(values["lockmode"], MODES)
    owner = _known(values["lockowner"], OWNERS, TRANSACTION)
    timeout = transaction.lock_timeout if values["locktimeout"] is None else int(str(values["locktimeout"]))
    resource = values["resource"]
    if resource is None or mode is None or owner is None or timeout < -1:
        return WRONG_CALL
    if owner == TRANSACTION and not transaction.count:
        return WRONG_CALL
    return _locks(execution).get(_principal(values), str(resource), mode, owner, timeout)


def release_lock(execution: Execution, values: dict[str, Any]) -> int:
    """0. Raises 1223 for a lock that is not held."""
    owner = _known(values["lockowner"], OWNERS, TRANSACTION)
    resource = values["resource"]
    if resource is None or owner is None:
        return WRONG_CALL
    if not _locks(execution).release(_principal(values), str(resource), owner):
        raise SqlError(
            1223,
            f"Cannot release the application lock (Database Principal: '{_principal(values)}', Resource: '{resource}') because"
            " it is not currently held.",
        )
    return 0


def _principal(values: dict[str, Any]) -> str:
    return "public" if values["dbprincipal"] is None else str(values["dbprincipal"])
