"""A client's socket on a bad day: it breaks, holds its breath, or drips."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from collections.abc import Callable

from sqlserver_sandbox.faults.connection import ConnectionFaults
from sqlserver_sandbox.wire.packets import HEADER, HEADER_SIZE, PacketType, Status, parse_header
from sqlserver_sandbox.wire.transport import ConnectionLost, Transport

RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing throws away what is unsent and answers with RST."""
DRIPS_PER_SECOND = 10
NOT_TLS = b"HTTP/1.1 400 Bad Request\r\n\r\n"


def reset_at_once(connected: socket.socket) -> None:
    """Take a connection and reset it."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    connected.close()


class FaultyTransport(Transport):
    """A transport that does what `faults` says."""

    def __init__(self, connected: socket.socket, faults: ConnectionFaults) -> None:
        super().__init__(connected)
        self.faults = self._faults = faults
        self._left: int | None = None
        self._then: Callable[[], None] = lambda: None
        self._rate: int | None = None
        self._broken = False
        faults.attach(self)

    # ---- implements faults.connection.Line -----------------------------------------------------------------------------
    def break_off(self, how: str) -> None:
        if how == "close":
            self.shut_down()
            return
        self._broken = True
        with contextlib.suppress(OSError):  # it is gone already
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            self._socket.shutdown(socket.SHUT_RD)  # wakes the listener; the RST goes out when the socket is closed

    def after_bytes(self, count: int, then: Callable[[], None]) -> None:
        self._left, self._then = count, then

    def slow_down(self, bytes_per_second: int | None) -> None:
        self._rate = bytes_per_second

    # ---- what Transport does -------------------------------------------------------------------------------------------
    def send(self, data: bytes) -> None:
        if self._broken:
            raise ConnectionLost("the connection was broken by a fault")
        left = self._left
        if left is not None:
            if len(data) < left:
                self._left = left - len(data)
            else:
                self._left = None
                self._pass(data[:left])
                self._then()
                data = data[left:]
        self._pass(data)

    def start_tls(self, context: ssl.SSLContext) -> None:
        how = self._faults.tls_trouble()
        if how is None:
            super().start_tls(context)
            return
        _kind, _status, size = parse_header(self.receive(HEADER_SIZE))
        self.receive(size)
        if how == "garbage":
            header = HEADER.pack(PacketType.PRELOGIN, Status.END_OF_MESSAGE, len(NOT_TLS) + HEADER_SIZE, 0, 0, 0)
            self._send_raw(header + NOT_TLS)
            self.receive(1 << 20)  # until the client gives up
        raise ConnectionLost("a fault: the TLS handshake broke off")

    def shut_down(self) -> None:
        if not self._broken:
            super().shut_down()

    def close(self) -> None:
        super().close()
        self._faults.close()

    def _receive_raw(self) -> bytes:
        try:
            return super()._receive_raw()
        except ConnectionLost:
            self._faults.left()
            raise

    def _pass(self, data: bytes) -> None:
        while self._rate is not None and data:
            drop = max(self._rate // DRIPS_PER_SECOND, 1)
            super().send(data[:drop])
            data = data[drop:]
            self._faults.wait(1 / min(DRIPS_PER_SECOND, self._rate), deaf=True)
        if data:
            super().send(data)
