"""Logins and requests that a client sends to a server, counted on the way by a process between the two.

with WireCounter(server.port) as counter:
    ... connect to counter.port, without encryption ...
    print(counter.counts())

A process of its own, so that its work is not counted as the client's. Counted are whole messages of the client, by the type in
the first packet's header ([MS-TDS] 2.2.3.1): logins, batches, procedure calls and transaction requests.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from types import TracebackType
from typing import NamedTuple

from typing_extensions import Self

_HEADER = 8
_END_OF_MESSAGE = 0x01
_LOGIN = 0x10
_REQUESTS = frozenset({0x01, 0x03, 0x0E})
"""SQL batch, RPC, transaction manager request."""
_READ = 65_536


class Counts(NamedTuple):
    """What a client sent."""

    logins: int
    requests: int

    def since(self, before: Counts) -> Counts:
        """What was sent after `before`."""
        return Counts(self.logins - before.logins, self.requests - before.requests)


class WireCounter:
    """A way to 127.0.0.1:`server_port`, by `port`, that counts. The server must not offer TLS: messages are read on the way."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._process: subprocess.Popen[str] | None = None
        self.port = 0

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.support.wire_counter", str(self._server_port)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self._ask())
        return self

    def counts(self) -> Counts:
        """What was sent so far, on all connections."""
        process = self._process
        if process is None or process.stdin is None:
            raise RuntimeError("the counter is not running")
        process.stdin.write("\n")
        process.stdin.flush()
        logins, requests = self._ask().split()
        return Counts(int(logins), int(requests))

    def _ask(self) -> str:
        if self._process is None or self._process.stdout is None:
            raise RuntimeError("the counter is not running")
        return self._process.stdout.readline()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process, self._process = self._process, None
        if process is not None and process.stdin is not None and process.stdout is not None:
            process.stdin.close()  # which ends it
            process.wait()
            process.stdout.close()


class _Way:
    """The process: one thread for each direction of each connection."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._guard = threading.Lock()
        self._counts = Counts(0, 0)
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def counts(self) -> Counts:
        with self._guard:
            return self._counts

    def _accept(self) -> None:
        while True:
            client, _ = self._listening.accept()
            server = socket.create_connection(("127.0.0.1", self._server_port))
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._pass_on, args=(client, server, _Reader(self)), daemon=True).start()
            threading.Thread(target=self._pass_on, args=(server, client, None), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, reader: _Reader | None) -> None:
        try:
            while data := source.recv(_READ):
                if reader is not None:
                    reader.read(data)
                target.sendall(data)
        except OSError:
            pass
        for each in (source, target):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def count(self, kind: int) -> None:
        with self._guard:
            if kind == _LOGIN:
                self._counts = self._counts._replace(logins=self._counts.logins + 1)
            elif kind in _REQUESTS:
                self._counts = self._counts._replace(requests=self._counts.requests + 1)


class _Reader:
    """Finds the ends of messages in the bytes of one connection."""

    def __init__(self, way: _Way) -> None:
        self._way = way
        self._header = b""
        self._left = 0

    def read(self, data: bytes) -> None:
        while data:
            if self._left:
                passed = min(self._left, len(data))
                self._left -= passed
                data = data[passed:]
                continue
            wanted = _HEADER - len(self._header)
            self._header, data = self._header + data[:wanted], data[wanted:]
            if len(self._header) == _HEADER:
                kind, status = self._header[0], self._header[1]
                self._left = int.from_bytes(self._header[2:4], "big") - _HEADER
                self._header = b""
                if status & _END_OF_MESSAGE:
                    self._way.count(kind)


def _main() -> None:
    way = _Way(int(sys.argv[1]))
    print(way.port, flush=True)
    for _ in sys.stdin:
        logins, requests = way.counts()
        print(logins, requests, flush=True)


if __name__ == "__main__":
    _main()
