"""The start of a connection: PRELOGIN, TLS if agreed, LOGIN7, and the server's welcome."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from sqlserver_sandbox.model import DEFAULT_COLLATION, Engine, Session, SqlError
from sqlserver_sandbox.wire import tokens
from sqlserver_sandbox.wire.login import FEATURE_FEDERATED_AUTHENTICATION, FEATURE_UTF8, TDS_7_4, Login, parse_login
from sqlserver_sandbox.wire.packets import (
    DEFAULT_PACKET_SIZE,
    HEADER_SIZE,
    LARGEST_PACKET_SIZE,
    SMALLEST_PACKET_SIZE,
    PacketType,
    ReplyWriter,
    Status,
    parse_header,
)
from sqlserver_sandbox.wire.prelogin import Encryption, agree_encryption, parse_prelogin, render_prelogin
from sqlserver_sandbox.wire.refusals import protocol_error
from sqlserver_sandbox.wire.tokens import Done, DoneStatus, Env
from sqlserver_sandbox.wire.transport import ConnectionLost, Transport, TransportFaults

LONGEST_GREETING = 1 << 20
"""Bytes. Before a login nobody may make the server hold more."""
LANGUAGE = "us_english"


@dataclass(frozen=True)
class Greeting:
    """What the start of every connection to one server needs."""

    engine: Engine
    tls: ssl.SSLContext | None

    def welcome(self, transport: Transport, writer: ReplyWriter) -> tuple[Session, Login]:
        """A logged-in session, and what the client said of itself.

        Raises ConnectionLost when the client leaves, or is refused and has been told why.
        """
        kind, data = _message(transport)
        if kind == PacketType.PRELOGIN:
            client = parse_prelogin(data)
            agreed = agree_encryption(client.encryption, server_has_tls=self.tls is not None)
            writer.write(render_prelogin(agreed, self.engine.version, takes_token=client.has_token))
            writer.end_message()
            if self.tls is not None and agreed is not Encryption.NOT_SUPPORTED:
                transport.start_tls(self.tls)
            kind, data = _message(transport)
            if agreed is Encryption.OFF:
                transport.stop_tls()
        if kind != PacketType.LOGIN7:
            raise protocol_error("a login was expected, and another PRELOGIN came")
        try:
            login = parse_login(data)
            session = self._log_in(login, transport.faults)
        except SqlError as error:
            writer.write(tokens.error(error, self.engine.server_name))
            writer.write(tokens.done(Done.BATCH, DoneStatus.ERROR))
            writer.end_message()
            raise ConnectionLost(f"login refused: {error.message}") from error
        writer.spid = session.spid
        self._acknowledge(login, session, writer)
        return session, login

    def _log_in(self, login: Login, faults: TransportFaults | None) -> Session:
        if faults is not None:
            faults.before_login(
                user=login.user,
                database=login.database,
                application=login.application,
                server=self.engine.server_name,
            )
        session = self.engine.login(
            user=login.user,
            password=login.password,
            token=login.token,
            database=login.database,
            application=login.application,
            host=login.host,
        )
        if faults is not None:
            faults.logged_in(session.spid)
            session.interfere(faults)
        return session

    def _acknowledge(self, login: Login, session: Session, writer: ReplyWriter) -> None:
        server, database = self.engine.server_name, session.database
        asked = login.packet_size or DEFAULT_PACKET_SIZE
        packet_size = min(max(asked, SMALLEST_PACKET_SIZE), LARGEST_PACKET_SIZE)
        writer.write(tokens.env_text(Env.DATABASE, database, "master"))
        writer.write(tokens.info(5701, f"Changed database context to '{database}'.", server, state=2))
        writer.write(tokens.env_collation(DEFAULT_COLLATION))
        writer.write(tokens.env_text(Env.LANGUAGE, LANGUAGE, ""))
        writer.write(tokens.info(5703, f"Changed language setting to {LANGUAGE}.", server))
        writer.write(tokens.login_ack(TDS_7_4, self.engine.version))
        writer.write(tokens.env_text(Env.PACKET_SIZE, str(packet_size), str(DEFAULT_PACKET_SIZE)))
        if login.wants_extensions:
            understood = [(FEATURE_UTF8, b"\x01")] if login.reads_utf8 else []
            if login.token is not None:
                understood.append((FEATURE_FEDERATED_AUTHENTICATION, b""))
            writer.write(tokens.feature_ack(understood))
        writer.write(tokens.done(Done.BATCH, DoneStatus.FINAL))
        writer.end_message()
        writer.packet_size = packet_size


def _message(transport: Transport) -> tuple[int, bytes]:
    """A whole message, read in the connection's own thread: nothing can be interrupted yet."""
    parts: list[bytes] = []
    while True:
        kind, status, size = parse_header(transport.receive(HEADER_SIZE))
        if kind not in (PacketType.PRELOGIN, PacketType.LOGIN7):
            raise protocol_error(f"a connection cannot begin with a packet of type {kind:#04x}")
        if sum(map(len, parts)) + size > LONGEST_GREETING:
            raise protocol_error("a login message is too long")
        parts.append(transport.receive(size))
        if status & Status.END_OF_MESSAGE:
            return kind, b"".join(parts)
