"""What a destination of dlt or its driver refused, as our errors. Their classes are known by what they carry, not by name:
drivers give the SQLSTATE of the SQL standard (`pgcode`, `sqlstate`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dltsync_core.disk_full import disk_full, is_disk_full
from dltsync_core.errors import ConfigError, FidelityError, NotWritable, SyncError, WarehouseBusy, WarehouseError
from dltsync_core.redaction import redacted

_BUSY = {"55P03", "40001", "40P01"}
"""A lock that was not to be had in time, and what a transaction that lost against another one gets."""
_REFUSED_WRITES = {"42501", "25006"}
"""No right; a server that only reads."""
_DISK_FULL = "53100"
_VALUES = ("22",)
"""Class of errors about a value that a type does not hold."""
_DEPENDED_UPON = {"2BP01", "0A000"}
"""Something depends on a table or on a column's type; the second one stands for all that a server does not do."""

_SETTINGS_ERRORS = ("ConfigFieldMissing", "ConfigurationValue", "ConfigValueCannotBeCoerced", "InvalidConnectionString")
_LONGEST_MESSAGE = 600


def explained(error: Exception, destination: str, doing: str, secrets: Iterable[str] = ()) -> SyncError:
    """Our error for one of dlt's or a driver's, whose text is freed of `secrets`. `doing` completes "failed while …"."""
    chain = list(_chain(error))
    cause = next((one for one in chain if _state(one)), chain[-1])
    state, message = _state(cause), redacted(_short(str(cause)), secrets)
    said = f"the warehouse ({destination}) refused while {doing}: {message}"
    names = [type(one).__name__ for one in chain]
    if any(name.startswith(_SETTINGS_ERRORS) for name in names):
        return ConfigError(
            f"destination: dlt has no complete credentials for {destination}: {redacted(_short(str(chain[0])), secrets)}",
            remedy=f"set destination.credentials, or DESTINATION__{destination.upper()}__CREDENTIALS in the environment, or "
            ".dlt/secrets.toml; dlt wants a password too, also where the server asks for none",
        )
    if any(name == "MissingDependencyException" for name in names):
        return ConfigError(
            f"destination: dlt's {destination} needs a package that is not installed: {message}",
            remedy=f"install it: pip install 'dltsync[{destination}]' or 'dlt[{destination}]'",
        )
    if state == _DISK_FULL or is_disk_full(cause):
        return disk_full(
            f"of the warehouse while {doing}", message, move="make room on the server", outcome="the table is as it was"
        )
    if state in _BUSY:
        return WarehouseBusy(
            f"the warehouse ({destination}) was busy while {doing}: {message}",
            remedy="see who holds a lock on the table (PostgreSQL: pg_stat_activity), or raise destination.lock_timeout_seconds, "
            "and run again",
        )
    if state in _REFUSED_WRITES:
        return NotWritable(
            f"{said}. The table is as it was",
            remedy="give the login the right to create schemas and tables in the database, and to write into these",
        )
    if state.startswith(_VALUES):
        return FidelityError(
            f"{said}. A value does not fit its column there; nothing was written",
            remedy="exclude the column, or choose another representation for it",
        )
    if state in _DEPENDED_UPON and ("depend" in message or "alter type" in message):
        return WarehouseError(
            said, remedy="drop the view or whatever else depends on the table, run again, and create it anew afterwards"
        )
    return WarehouseError(said, remedy="the load was not committed; correct what the message names and run again")


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = getattr(current, "dbapi_exception", None) or current.__cause__ or current.__context__


def _state(error: BaseException) -> str:
    state = getattr(error, "pgcode", None) or getattr(error, "sqlstate", None)
    return state if isinstance(state, str) else ""


def _short(message: str) -> str:
    one_line = " ".join(message.split())
    return one_line if len(one_line) <= _LONGEST_MESSAGE else f"{one_line[:_LONGEST_MESSAGE]}…"
