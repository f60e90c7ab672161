"""The listening socket: accepts on loopback, one thread per connection, and stops without leaving any behind."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading

from sqlserver_sandbox.faults import Injector
from sqlserver_sandbox.faults.connection import connect
from sqlserver_sandbox.faults.transport import FaultyTransport, reset_at_once
from sqlserver_sandbox.model import Engine
from sqlserver_sandbox.wire.connection import Connection
from sqlserver_sandbox.wire.greeting import Greeting
from sqlserver_sandbox.wire.transport import Transport

HOST = "127.0.0.1"
"""The only address. The sandbox answers anyone who knows its password, and is not hardened for strangers."""


class Server:
    """Owns the socket and the connections, not the engine."""

    def __init__(
        self, engine: Engine, *, port: int = 0, tls: ssl.SSLContext | None = None, faults: Injector | None = None
    ) -> None:
        """Listens from here on; port 0 takes a free one. Raises OSError when the port is taken. `faults` makes it misbehave."""
        self._greeting = Greeting(engine, tls)
        self._faults = faults
        self._listening = socket.create_server((HOST, port), backlog=128)
        self.port: int = self._listening.getsockname()[1]
        self._guard = threading.Lock()
        self._connections: dict[threading.Thread, Transport] = {}
        self._stopping = False
        self._acceptor = threading.Thread(target=self._accept, name="tds-acceptor", daemon=True)
        self._acceptor.start()

    def stop(self) -> None:
        """Refuse new clients, end the connected ones (their transactions roll back), wait until all are gone."""
        self._stopping = True
        with contextlib.suppress(OSError):  # some systems refuse to shut a listening socket down; closing it does there
            self._listening.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self._listening.close()
        self._acceptor.join()
        with self._guard:
            connections = dict(self._connections)
        for transport in connections.values():
            transport.shut_down()
        for thread in connections:
            thread.join()

    def _accept(self) -> None:
        while not self._stopping:
            try:
                connected, _address = self._listening.accept()
            except OSError:  # the socket was closed by stop()
                return
            transport = self._transport(connected)
            if transport is None:
                continue
            connection = Connection(transport, self._greeting)
            thread = threading.Thread(
                target=self._serve, args=(connection, transport), name="tds-connection", daemon=True
            )
            with self._guard:
                self._connections[thread] = transport
            thread.start()

    def _transport(self, connected: socket.socket) -> Transport | None:
        """The new client's bytes; None when a fault took them already."""
        if self._faults is None:
            return Transport(connected)
        faults = connect(self._faults)
        if faults.is_reset_at_accept():
            reset_at_once(connected)
            faults.close()
            return None
        return FaultyTransport(connected, faults)

    def _serve(self, connection: Connection, transport: Transport) -> None:
        try:
            connection.serve()
        finally:
            transport.close()
            with self._guard:
                del self._connections[threading.current_thread()]
