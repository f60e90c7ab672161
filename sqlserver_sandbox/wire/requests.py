"""What each kind of message does to a session: a batch, calls, a transaction request, bulk data."""

from __future__ import annotations

from collections.abc import Iterator

from sqlserver_sandbox.model import BulkTarget, Session, SqlError
from sqlserver_sandbox.wire import tokens
from sqlserver_sandbox.wire.answer import Answer
from sqlserver_sandbox.wire.bulk import bulk_batches
from sqlserver_sandbox.wire.bulkcopy_probe import answer_probe, probed_table
from sqlserver_sandbox.wire.fields import FieldReader, utf16_text
from sqlserver_sandbox.wire.packets import PacketType
from sqlserver_sandbox.wire.procedures import Procedures
from sqlserver_sandbox.wire.refusals import protocol_error
from sqlserver_sandbox.wire.rpc import parse_requests
from sqlserver_sandbox.wire.tokens import FATAL_CLASS, Done, DoneStatus
from sqlserver_sandbox.wire.transactions import transaction_request

INSERT_BULK = 0xF0
TRANSACTION_HEADER = 2
_TRANSACTION_HEADER_SIZE = 18


class Requests:
    """One session's requests. Keeps what one request leaves for the next: prepared statements, an open transaction's
    descriptor, the target of an accepted INSERT BULK."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._procedures = Procedures(session)
        self._descriptor = 0
        self._bulk: BulkTarget | None = None

    def reset(self, answer: Answer, *, keep_transaction: bool) -> None:
        """Connection pools ask for a clean session with a flag on their next request."""
        self._procedures.forget()
        self._bulk = None
        answer.outcomes(self._session.reset(keep_transaction=keep_transaction), Done.BATCH)
        self._note_transaction(answer)
        answer.token(tokens.env_reset())

    def run(self, kind: int, message: Iterator[bytes], answer: Answer) -> None:
        """Do one request. Raises what the engine raises; errors of single calls among several are answered here."""
        target, self._bulk = self._bulk, None
        try:
            if kind == PacketType.BULK:
                self._store_bulk(message, target, answer)
            else:
                self._run_statement(kind, FieldReader(b"".join(message)), answer)
                self._bulk = answer.bulk
        finally:
            self._note_transaction(answer)

    def _run_statement(self, kind: int, fields: FieldReader, answer: Answer) -> None:
        if kind not in (PacketType.SQL_BATCH, PacketType.RPC, PacketType.TRANSACTION):
            raise protocol_error(f"a message of type {kind} is not expected after login")
        self._check_headers(fields)
        if kind == PacketType.RPC:
            self._run_procedures(fields, answer)
        elif kind == PacketType.TRANSACTION:
            answer.outcomes(transaction_request(fields, self._session), Done.BATCH)
        else:
            sql = utf16_text(fields.take(len(fields.data) - fields.position))
            table = probed_table(sql)
            answered = self._session.execute(sql, {}) if table is None else answer_probe(table, self._session)
            answer.outcomes(answered, Done.BATCH)

    def _run_procedures(self, fields: FieldReader, answer: Answer) -> None:
        """An error ends its own call; the calls after it in the same message still run, as on SQL Server."""
        for request in parse_requests(fields):
            try:
                self._procedures.run(request, answer)
            except SqlError as error:
                if error.class_ >= FATAL_CLASS:
                    raise
                answer.fail(error, Done.PROCEDURE)

    def _store_bulk(self, message: Iterator[bytes], target: BulkTarget | None, answer: Answer) -> None:
        if target is None:
            raise protocol_error("bulk data came without an accepted INSERT BULK before it")
        count = self._session.bulk_insert(target, bulk_batches(message, target))
        answer.done(Done.BATCH, DoneStatus.COUNT, command=INSERT_BULK, count=count)

    def _check_headers(self, fields: FieldReader) -> None:
        """ALL_HEADERS ([MS-TDS] 2.2.5.3): the transaction that the client believes to be in must be the open one."""
        end = fields.position + fields.ulong()
        while fields.position < end:
            start = fields.position
            size = fields.ulong()
            if fields.ushort() == TRANSACTION_HEADER and size == _TRANSACTION_HEADER_SIZE:
                believed = fields.ulonglong()
                if believed != self._descriptor:
                    raise SqlError(3971, f"The server failed to resume the transaction. Desc:{believed:x}.")
            if start + size > end or size == 0:
                raise protocol_error("a message header is longer than all headers together")
            fields.take(start + size - fields.position)

    def _note_transaction(self, answer: Answer) -> None:
        if answer.descriptor is not None:
            self._descriptor = answer.descriptor
