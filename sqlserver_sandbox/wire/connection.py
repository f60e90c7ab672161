"""One client, from its first byte to its last: requests in order, each with exactly one answer."""

from __future__ import annotations

import sys
import traceback

from sqlserver_sandbox.model import Cancelled, SqlError
from sqlserver_sandbox.wire.answer import Answer
from sqlserver_sandbox.wire.greeting import Greeting
from sqlserver_sandbox.wire.inbox import Inbox, MessageStart
from sqlserver_sandbox.wire.packets import PacketType, ReplyWriter, Status
from sqlserver_sandbox.wire.requests import Requests
from sqlserver_sandbox.wire.tokens import FATAL_CLASS, Done, DoneStatus
from sqlserver_sandbox.wire.transport import ConnectionLost, Transport

INTERNAL_ERROR = 50000


class Connection:
    """Serves one client in the calling thread; a second thread listens for its attentions."""

    def __init__(self, transport: Transport, greeting: Greeting) -> None:
        self._transport = transport
        self._greeting = greeting
        self._server = greeting.engine.server_name
        self._writer = ReplyWriter(transport.send)
        if transport.faults is not None:
            transport.faults.deliver_with(self._writer.flush)

    def serve(self) -> None:
        """Until the client leaves, an error ends the connection, or the transport is shut down."""
        try:
            session, login = self._greeting.welcome(self._transport, self._writer)
        except ConnectionLost:
            return
        except SqlError as error:  # not TDS, or not this server's TDS: there is no common language to answer in
            _log(f"connection refused: {error.message}")
            return
        inbox = Inbox(self._transport, session.cancel)
        inbox.start()
        try:
            self._serve_requests(inbox, Requests(session), reads_utf8=login.reads_utf8)
        except ConnectionLost:
            return
        except SqlError as error:
            _log(f"connection ended: {error.message}")
        finally:
            self._transport.shut_down()
            inbox.close()
            session.close()

    def _serve_requests(self, inbox: Inbox, requests: Requests, *, reads_utf8: bool) -> None:
        fault: SqlError | None = None
        while fault is None or fault.class_ < FATAL_CLASS:
            message = inbox.next_message()
            answer = Answer(self._writer, server=self._server, reads_utf8=reads_utf8, attention=lambda: inbox.attention)
            if message.kind == PacketType.ATTENTION:  # it came after the end of the answer it meant to stop
                inbox.skip_message()
                answer.end(attention=True)
                continue
            fault = _answer_one(message, inbox, requests, answer)
            answer.end(attention=inbox.finish_request())


def _answer_one(message: MessageStart, inbox: Inbox, requests: Requests, answer: Answer) -> SqlError | None:
    """Answer one request, whatever happens. Returns the error that ended it, if one did."""
    fault: SqlError | None = None
    kind = Done.PROCEDURE if message.kind == PacketType.RPC else Done.BATCH
    try:
        keep_transaction = bool(message.status & Status.RESET_KEEP_TRANSACTION)
        if keep_transaction or message.status & Status.RESET:
            requests.reset(answer, keep_transaction=keep_transaction)
        requests.run(message.kind, inbox.message_data(), answer)
    except SqlError as error:
        fault = error
    except Cancelled:
        if inbox.attention:
            # The statement's own end, before the acknowledgement: without it ODBC reports a success, not HY008.
            answer.done(kind, DoneStatus.ERROR)
        elif not inbox.was_ignored:
            _log("a statement was cancelled that no client had asked to cancel")
            fault = SqlError(INTERNAL_ERROR, "sandbox internal error: the statement was cancelled by nobody")
    except ConnectionLost:
        raise
    except Exception as error:  # noqa: BLE001 - a bug must reach the client as an error and the operator as a traceback
        traceback.print_exc(file=sys.stderr)
        fault = SqlError(INTERNAL_ERROR, f"sandbox internal error: {type(error).__name__}: {error}")
    if fault is not None:
        answer.fail(fault, kind)
    inbox.skip_message()
    return fault


def _log(text: str) -> None:
    """The sandbox's log is its standard error."""
    print(f"sqlserver_sandbox: {text}", file=sys.stderr, flush=True)  # noqa: T201
