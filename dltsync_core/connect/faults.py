"""Translates driver errors into dltsync's errors, in this file only.

pyodbc has the SQLSTATE and ends its text with the engine's number: `… (208) (SQLExecDirectW)`. mssql-python has neither,
only the server's sentence and its own text for the SQLSTATE. The sentences of the relevant errors are listed in `error_numbers`,
in English: in a session of another language the number stays unknown, and the error then counts as permanent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dltsync_core.connect.connection_advice import Advice, Route, advice, needs_reachability_check
from dltsync_core.connect.error_numbers import (
    CANNOT_LOG_IN,
    IS_MISSING,
    IS_REFUSED,
    REMEDIES,
    SENTENCES,
    TRANSIENT,
    UNREACHABLE_STATES,
    RetryKind,
)
from dltsync_core.connect.reachability import check_reachability
from dltsync_core.display import number_of
from dltsync_core.errors import (
    CertificateNotTrusted,
    LoginFailed,
    QueryError,
    ServerUnreachable,
    StatementTimeout,
    SyncError,
    TableNotFound,
    TransientQueryError,
)
from dltsync_core.redaction import redacted

_NUMBER = re.compile(r"\((-?\d+)\) \(SQL\w+\)")
_STATE = re.compile(r"\[?([0-9A-Z]{5})\]")
_ORIGIN = re.compile(r"^(\[[^\]]*\]\s*)+")
_TAIL = re.compile(r"\s*\(-?\d+\) \(SQL\w+\)\s*$")
_CERTIFICATE = re.compile(r"certificate|subject name|SSL Provider|TLS", re.IGNORECASE)
_VERIFY = re.compile(r"verify failed|not trusted|self[- ]signed|subject name|hostname|chain", re.IGNORECASE)
_PROVIDER_CODE = re.compile(r"Provider: Error code 0x([0-9A-F]+)", re.IGNORECASE)
_REFUSED_OBJECT = re.compile(
    r"The (?P<right>[A-Z ]+) permission was denied on the object '(?P<object>.+)', database '(?P<database>.+)', "
    r"schema '(?P<schema>.+)'",
    re.DOTALL,
)
_REFUSED_COLUMN = re.compile(r"The (?P<right>[A-Z ]+) permission was denied on the column '(?P<column>.+?)'", re.DOTALL)
_REFUSED_IN_DATABASE = re.compile(r"(?P<right>[A-Z][A-Z ]+) permission (was )?denied in database", re.DOTALL)
_NO_REASON = "The driver did not supply an error!"
"""What pyodbc says where a call of the driver failed and there is no diagnostic record."""
_BULK_COPY_BROKE = re.compile(
    r"\A(?:Failed to [a-z ]+: )*(?:IO error: |Connection closed|Cannot read TDS packet: |Connection is dead)"
)
"""What mssql-python's bulk copy says, which has a connection and a TDS client of its own, where that connection breaks."""
_AZURE = (
    ".database.windows.net",
    ".database.azure.com",
    ".database.chinacloudapi.cn",
    ".database.fabric.microsoft.com",
)
_UNKNOWN_STATE = re.compile(r"SQLSTATE code: ([0-9A-Z]{5})")
_STATE_OF_MESSAGE = {
    "client unable to establish connection": "08001",
    "communication link failure": "08S01",
    "connection not open": "08003",
    "connection failure during transaction": "08007",
    "timeout expired": "HYT00",
    "connection timeout expired": "HYT01",
    "serialization failure": "40001",
    "base table or view not found": "42S02",
    "column not found": "42S22",
    "invalid authorization specification": "28000",
    "operation canceled": "HY008",
    "function sequence error": "HY010",
}


@dataclass(frozen=True)
class Fault:
    """The parts of a driver error. `number` is the engine's, None when unknown."""

    message: str
    state: str | None
    number: int | None


@dataclass(frozen=True)
class Address:
    """The server of an error, and the secrets that must not appear in its text. With a `route`, failed connections are
    diagnosed."""

    server: str
    database: str
    secrets: tuple[str, ...] = ()
    command_timeout: int = 0
    route: Route | None = None
    login_advice: str = ""
    """What to check when a login is refused; empty for a user name and a password."""


def read_fault(error: BaseException) -> Fault:
    """The parts of a pyodbc or mssql-python error."""
    driver_error = getattr(error, "driver_error", None)
    if driver_error is not None:  # mssql-python
        text = str(getattr(error, "ddbc_error", "") or driver_error)
        state = _STATE_OF_MESSAGE.get(str(driver_error).strip().casefold())
        found = _UNKNOWN_STATE.search(str(driver_error))
        state = found[1] if found else state
    else:
        arguments = [str(a) for a in error.args]
        text = arguments[-1] if arguments else str(error)
        state = arguments[0] if len(arguments) > 1 and re.fullmatch(r"[0-9A-Z]{5}", arguments[0]) else None
        state = state or (found[1] if (found := _STATE.search(text)) else None)
    # Several records come in one text; the first is the cause.
    first = re.split(r";\s*(?=\[[0-9A-Z]{5}\])", text)[0]
    numbers = _NUMBER.findall(first)
    number = int(numbers[-1]) if numbers and int(numbers[-1]) > 0 else None  # 0 and -1 are the driver's own
    message = _TAIL.sub("", _ORIGIN.sub("", first)).strip() or str(error)
    if number is None:
        number = next((n for n, sentence in SENTENCES.items() if sentence.search(text)), None)
    if number is None and (code := _PROVIDER_CODE.search(text)):
        number = int(code[1], 16)
    return Fault(message, state, number)


def connect_error(error: BaseException, address: Address) -> SyncError:
    """The error for a connection that could not be made. When the driver does not show the cause, and `address` has a route,
    name and port are checked from this machine (a few seconds, no login)."""
    fault = _scrubbed(read_fault(error), address.secrets)
    where = f"{address.server}, database {address.database}"
    facts: dict[str, Any] = {"number": fault.number, "sqlstate": fault.state, "server": address.server}
    if fault.number == 4060 and address.server.partition(":")[0].lower().endswith(_AZURE):
        # Azure uses the same number for a database that is moving; a wrong name fails when the attempts are used up.
        return ServerUnreachable(
            f"{where} cannot be opened: {fault.message}",
            remedy="check the name of the database, and run again",
            **facts,
        )
    if fault.number not in TRANSIENT and (fault.number in CANNOT_LOG_IN or fault.state == "28000"):
        return LoginFailed(
            f"login to {where} failed: {fault.message}",
            remedy=address.login_advice
            or REMEDIES.get(
                fault.number or 0,
                "check username, password and the name of the database, and that the login may use it",
            ),
            **facts,
        )
    if _CERTIFICATE.search(fault.message) and _VERIFY.search(fault.message):
        return CertificateNotTrusted(
            f"the certificate of {address.server} is not trusted: {fault.message}",
            remedy="install the certificate's authority on this machine, or name the host in host_name_in_certificate; "
            "trust_server_certificate: true accepts any certificate and is for tests only",
            **facts,
        )
    if TRANSIENT.get(fault.number or 0, RetryKind.NEW_CONNECTION) is not RetryKind.NEW_CONNECTION:
        return ServerUnreachable(
            f"{where} does not take connections now: {fault.message}", remedy="wait a little and run again", **facts
        )
    advised = _reach_advice(fault, address.route) if address.route is not None else None
    if advised is not None:
        return ServerUnreachable(
            f"no connection to {where}: {advised.happened} ({fault.message.rstrip('. ')})",
            remedy=advised.remedy,
            **facts,
        )
    return ServerUnreachable(
        f"no connection to {where}: {fault.message}",
        remedy="check server and port, that the server runs, and that a firewall lets this machine through; "
        "a database that has paused may need a longer connection_timeout",
        **facts,
    )


def query_error(error: BaseException, address: Address, doing: str) -> SyncError:
    """The error for a statement that failed while `doing` something (such as `reading sales.Orders`)."""
    fault = _scrubbed(read_fault(error), address.secrets)
    facts: dict[str, Any] = {"number": fault.number, "sqlstate": fault.state, "server": address.server}
    number = "" if fault.number is None else f" (error {fault.number})"
    text = f"{doing}: {fault.message}{number}"
    if fault.number in IS_MISSING:
        return TableNotFound(
            f"{doing}: not found or not permitted: {fault.message}{number}",
            remedy="it existed when the catalogue was read: check that it was not dropped or renamed since, "
            "and that the login still has SELECT on it (`dltsync plan` names the nearest table)",
            **facts,
        )
    if fault.number in IS_REFUSED:
        return QueryError(text, remedy=_grant(fault.message), **facts)
    kind = TRANSIENT.get(fault.number or 0)
    broke = fault.state in UNREACHABLE_STATES or (fault.state is None and _BULK_COPY_BROKE.match(fault.message))
    if kind is RetryKind.NEW_CONNECTION or (kind is None and broke):
        return ServerUnreachable(f"{doing}: the connection broke: {fault.message}", remedy="run again", **facts)
    if _NO_REASON in fault.message:
        # Whether the statement was executed is not known, as when the connection breaks.
        return ServerUnreachable(f"{doing}: the driver gave no reason for its failure", remedy="run again", **facts)
    if kind is not None or fault.state == "40001":
        return TransientQueryError(text, remedy="the server refused it for now; run again", **facts)
    if fault.number == 3952:
        return QueryError(
            text, remedy=f"ALTER DATABASE … SET ALLOW_SNAPSHOT_ISOLATION ON for {address.database}", **facts
        )
    # A time-out or a cancel in the middle of rows: the driver has ended the statement, and the next fetch is out of sequence.
    broken_off = fault.state == "HY010"
    if fault.state == "HY008" or (broken_off and not address.command_timeout):
        return QueryError(f"{doing}: cancelled", **facts)
    if fault.state == "HYT00" or broken_off:
        limit = (
            f" after {number_of(address.command_timeout, 'second')} (command_timeout)"
            if address.command_timeout
            else ""
        )
        return StatementTimeout(f"{doing}: cancelled{limit}: {fault.message}", remedy="raise command_timeout", **facts)
    return QueryError(text, remedy=REMEDIES.get(fault.number or 0, ""), **facts)


def _reach_advice(fault: Fault, route: Route) -> Advice | None:
    reached = (
        check_reachability(route.host, route.port, route.instance)
        if needs_reachability_check(fault.message, fault.number)
        else None
    )
    return advice(fault.message, fault.number, route, reached)


def _grant(message: str) -> str:
    """The statement that an administrator has to run; the server's message names the object."""
    if found := _REFUSED_OBJECT.search(message):
        return (
            f"an administrator runs GRANT {found['right']} ON {found['schema']}.{found['object']} "
            f"TO the login's user in {found['database']}"
        )
    if found := _REFUSED_COLUMN.search(message):
        return (
            f"an administrator runs GRANT {found['right']} ON the table TO the login's user, "
            f"or leave {found['column']} out with exclude_columns"
        )
    if found := _REFUSED_IN_DATABASE.search(message):
        return f"an administrator runs GRANT {found['right']} TO the login's user"
    return "an administrator grants the login SELECT and VIEW DEFINITION (GRANT SELECT, VIEW DEFINITION TO the login's user)"


def _scrubbed(fault: Fault, secrets: Sequence[str]) -> Fault:
    return Fault(redacted(fault.message, secrets), fault.state, fault.number)
