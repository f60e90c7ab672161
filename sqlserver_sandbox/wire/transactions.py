"""Transaction-manager requests ([MS-TDS] 2.2.6.9): what ODBC's and other drivers' begin, commit and rollback become."""

from __future__ import annotations

from collections.abc import Iterator

from sqlserver_sandbox.model import Outcome, Session
from sqlserver_sandbox.wire.fields import FieldReader
from sqlserver_sandbox.wire.refusals import protocol_error, refusal

BEGIN, COMMIT, ROLLBACK, SAVE = 5, 7, 8, 9
_AND_BEGIN = 0x01
SNAPSHOT = 5


def transaction_request(fields: FieldReader, session: Session) -> Iterator[Outcome]:
    """Do one request. Named transactions, savepoints and distributed transactions are refused."""
    kind = fields.ushort()
    if kind == BEGIN:
        yield from _begin(fields, session)
    elif kind in (COMMIT, ROLLBACK):
        _refuse_name(fields.b_varchar(), "committing or rolling back a transaction by name")
        and_begin = bool(fields.byte() & _AND_BEGIN) if fields else False
        yield from session.commit() if kind == COMMIT else session.rollback()
        if and_begin:
            yield from _begin(fields, session)
    elif kind == SAVE:
        raise refusal("savepoints")
    else:
        raise refusal(f"transaction manager request {kind} (distributed transactions)")


def _begin(fields: FieldReader, session: Session) -> Iterator[Outcome]:
    isolation = fields.byte()
    if isolation > SNAPSHOT:
        raise protocol_error(f"there is no isolation level {isolation}")
    _refuse_name(fields.b_varchar(), "naming a transaction")
    yield from session.begin(isolation)


def _refuse_name(name: str, what: str) -> None:
    if name:
        raise refusal(f"{what} ('{name}')")
