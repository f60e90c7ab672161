"""Bytes to and from one client: plain, or through TLS that TDS carries inside its own packets while it is agreed."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from typing import Protocol

from sqlserver_sandbox.model import Interference
from sqlserver_sandbox.wire.packets import HEADER, HEADER_SIZE, PacketType, Status, parse_header

RECEIVE_SIZE = 1 << 16


class ConnectionLost(Exception):
    """The client went away. Not an error of the server; the connection's thread ends."""


class TransportFaults(Interference, Protocol):
    """What makes a connection misbehave, as far as the wire must know it. See `faults`."""

    def before_login(self, *, user: str, database: str, application: str, server: str) -> None:
        """Raises the SqlError that the login is refused with."""
        ...

    def logged_in(self, spid: int) -> None: ...

    def deliver_with(self, flush: Callable[[], None]) -> None:
        """How to send what was written of an answer so far."""
        ...


class Transport:
    """One client's socket. `receive` belongs to one thread and `send` to one other; both may run at once.

    An OpenSSL object may not be used by two threads at once, so with TLS every use of it holds `_cipher`. The socket itself
    is read and written outside that lock: a client that does not read must not keep us from hearing its attention.
    """

    faults: TransportFaults | None = None

    def __init__(self, connected: socket.socket) -> None:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = connected
        self._tls: ssl.SSLObject | None = None
        self._arrived = ssl.MemoryBIO()
        self._leaving = ssl.MemoryBIO()
        self._cipher = threading.Lock()
        self._buffered = bytearray()

    @property
    def encrypted(self) -> bool:
        return self._tls is not None

    def receive(self, size: int) -> bytes:
        """Exactly `size` bytes, waiting for them; ConnectionLost when the client is gone."""
        while len(self._buffered) < size:
            self._buffered += self._receive_some()
        taken = bytes(self._buffered[:size])
        del self._buffered[:size]
        return taken

    def send(self, data: bytes) -> None:
        """All of `data`; ConnectionLost when the client is gone."""
        if self._tls is not None:
            with self._cipher:
                self._tls.write(data)
                data = self._leaving.read()
        self._send_raw(data)

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Agree on TLS. Its handshake travels as the data of PRELOGIN packets ([MS-TDS] 3.2.5.1)."""
        tls = context.wrap_bio(self._arrived, self._leaving, server_side=True)
        while True:
            try:
                tls.do_handshake()
                agreed = True
            except ssl.SSLWantReadError:
                agreed = False
            except ssl.SSLError as error:  # the client does not trust the certificate, or shares no cipher
                raise ConnectionLost(f"TLS handshake failed: {error.reason}") from error
            if reply := self._leaving.read():
                header = HEADER.pack(PacketType.PRELOGIN, Status.END_OF_MESSAGE, len(reply) + HEADER_SIZE, 0, 0, 0)
                self._send_raw(header + reply)
            if agreed:
                self._tls = tls
                return
            _kind, _status, size = parse_header(self.receive(HEADER_SIZE))
            self._arrived.write(self.receive(size))

    def stop_tls(self) -> None:
        """Go on in the clear: the client asked for an encrypted login only."""
        self._tls = None

    def shut_down(self) -> None:
        """Wake every thread that waits on this socket, and let nothing more through. May be called from any thread."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:  # it is already disconnected, which is what was wanted
            return

    def close(self) -> None:
        self._socket.close()

    def _receive_some(self) -> bytes:
        if self._tls is None:
            return self._receive_raw()
        while True:
            with self._cipher:
                try:
                    plain = self._tls.read(RECEIVE_SIZE)
                except ssl.SSLWantReadError:
                    plain = None
                except ssl.SSLError as error:
                    raise ConnectionLost(f"TLS ended: {error.reason}") from error
            if plain == b"":
                raise ConnectionLost("the client closed TLS")
            if plain is not None:
                return plain
            arrived = self._receive_raw()
            with self._cipher:
                self._arrived.write(arrived)

    def _receive_raw(self) -> bytes:
        try:
            arrived = self._socket.recv(RECEIVE_SIZE)
        except OSError as error:
            raise ConnectionLost(str(error)) from error
        if not arrived:
            raise ConnectionLost("the client closed the connection")
        return arrived

    def _send_raw(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise ConnectionLost(str(error)) from error
