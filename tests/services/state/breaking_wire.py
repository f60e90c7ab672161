"""Between a ledger and its PostgreSQL: a wire that breaks at a commit, before the server hears of it or after it answered."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from typing import Literal

Moment = Literal["before", "after"]


class BreakingWire:
    """Forwards to `port` of loopback. `breaks` says what happens at the next commits, first to last; then all goes well."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.breaks: list[Moment] = []
        self.broken = 0
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        """Returns when every connection is closed; the ledger closes its own."""
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                thread = threading.Thread(target=self._carry, args=(client,))
                self._threads.append(thread)
                thread.start()

    def _carry(self, client: socket.socket) -> None:
        deaf = False
        with client, socket.create_connection(("127.0.0.1", self._target)) as server, contextlib.suppress(OSError):
            while True:
                ready, _, _ = select.select([client, server], [], [])
                if client in ready:
                    data = client.recv(65536)
                    if b"COMMIT" in data and self.breaks:
                        deaf = True
                        self.broken += 1
                        if self.breaks.pop(0) == "before":
                            return
                    if not data:
                        return
                    server.sendall(data)
                if server in ready:
                    data = server.recv(65536)
                    if deaf or not data:
                        return
                    client.sendall(data)
