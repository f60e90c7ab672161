"""Application locks: sp_getapplock and its kin over the lock manager (SQL Server docs: sp_getapplock, APPLOCK_MODE)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlserver_sandbox.engine.store.locks import (
    EXCLUSIVE,
    INTENT_EXCLUSIVE,
    INTENT_SHARED,
    SESSION,
    SHARED,
    TRANSACTION,
    UPDATE,
    Locks,
    Resource,
)
from sqlserver_sandbox.model import SqlError

MODES = (EXCLUSIVE, UPDATE, SHARED, INTENT_EXCLUSIVE, INTENT_SHARED)
"""Strongest first."""
OWNERS = (TRANSACTION, SESSION)
_LONGEST_NAME = 255
GRANTED, GRANTED_AFTER_WAIT, TIMED_OUT, DEADLOCK_VICTIM, WRONG_CALL = 0, 1, -1, -3, -999
_LOCK_TIMEOUT, _DEADLOCK = 1222, 1205


@dataclass(frozen=True)
class ApplicationLocks:
    """Those of one session in one database. A resource is a name, compared binary, within a database and a principal."""

    locks: Locks
    spid: int
    database_id: int

    def _resource(self, principal: str, resource: str) -> Resource:
        # Longer names are cut without a word.
        return self.database_id, f"{principal.lower()}:{resource[:_LONGEST_NAME]}"

    def get(self, principal: str, resource: str, mode: str, owner: str, timeout_ms: int) -> int:
        """The return code of sp_getapplock: it raises nothing. A deadlock victim's transaction goes on."""
        key = self._resource(principal, resource)
        free = self.locks.is_free(self.spid, key, mode)
        try:
            self.locks.acquire(self.spid, key, timeout_ms, mode=mode, until=owner)
        except SqlError as error:
            if error.number not in (_LOCK_TIMEOUT, _DEADLOCK):
                raise
            return TIMED_OUT if error.number == _LOCK_TIMEOUT else DEADLOCK_VICTIM
        return GRANTED if free else GRANTED_AFTER_WAIT

    def release(self, principal: str, resource: str, owner: str) -> bool:
        """Once; False when it is not held."""
        return self.locks.release_one(self.spid, self._resource(principal, resource), owner)

    def mode(self, principal: str, resource: str, owner: str) -> str:
        held = self.locks.modes(self.spid, self._resource(principal, resource), owner)
        return next((mode for mode in MODES if mode in held), "NoLock")

    def would_get(self, principal: str, resource: str, mode: str) -> bool:
        return self.locks.is_free(self.spid, self._resource(principal, resource), mode)
