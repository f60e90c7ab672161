"""The thread that listens to one client, so that an attention is heard while a statement runs."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlserver_sandbox.model import Cancelled, SqlError
from sqlserver_sandbox.wire.packets import HEADER_SIZE, Packet, PacketType, Status, parse_header
from sqlserver_sandbox.wire.transport import ConnectionLost, Transport

ROOM = 4 << 20
"""Bytes that may wait unread. A client that sends bulk data faster than it is stored is held back by TCP."""

CANCEL_AGAIN_AFTER = 0.05
"""Seconds. A cancel that falls between two steps of the engine is lost, so it is repeated until the request ends."""


@dataclass(frozen=True)
class MessageStart:
    """The next request: its type, the status of its first packet; its data is read with `Inbox.message_data`."""

    kind: int
    status: int


class Inbox:
    """Packets in order of arrival. An attention does not queue behind them: it marks the running request as cancelled.

    `cancel` is called from the listening thread, again and again until `finish_request`, and never after it.
    """

    def __init__(self, transport: Transport, cancel: Callable[[], None]) -> None:
        self._transport = transport
        self._cancel = cancel
        self._state = threading.Condition()
        self._packets: deque[Packet] = deque()
        self._waiting_bytes = 0
        self._busy = False  # a request is complete or under way, and its answer has not ended
        self._attention = False  # the running request was asked to stop
        self._lost: Exception | None = None
        self._closed = False
        self._message_open = False
        self.was_ignored = False
        """Whether the client ended the message at hand with the wish to have it ignored."""
        self._repeaters: list[threading.Thread] = []
        self._listener = threading.Thread(target=self._listen, name="tds-listener", daemon=True)

    def start(self) -> None:
        self._listener.start()

    def close(self) -> None:
        """End the listener; the transport has been shut down before."""
        with self._state:
            self._closed = True
            self._busy = self._attention = False
            self._state.notify_all()
        self._listener.join()
        for repeater in self._repeaters:
            repeater.join()

    @property
    def attention(self) -> bool:
        """Whether the running request should stop: the client asked, or is no longer there to hear the answer."""
        return self._attention or self._lost is not None

    def next_message(self) -> MessageStart:
        """Wait for the next request. Raises ConnectionLost at the end, or the protocol error that ended it."""
        first = self._next_packet(interruptible=False)
        self.was_ignored = False
        with self._state:
            # Put back: the data is read through message_data, the type and status are in every packet.
            self._packets.appendleft(first)
            self._waiting_bytes += len(first.data)
        self._message_open = True
        return MessageStart(first.kind, first.status)

    def message_data(self) -> Iterator[bytes]:
        """The data of the message at hand, packet by packet. Raises Cancelled when the client gives it up."""
        while True:
            packet = self._next_packet(interruptible=True)
            self._message_open = not packet.is_last
            if packet.is_last and packet.status & Status.IGNORE:
                self.was_ignored = True
                raise Cancelled
            yield packet.data
            if packet.is_last:
                return

    def skip_message(self) -> None:
        """Read and forget what is left of the message, so that the answer comes at its place."""
        while self._message_open:
            self._message_open = not self._next_packet(interruptible=False).is_last

    def finish_request(self) -> bool:
        """The answer is about to end. True when an attention came in time, and must be acknowledged in it."""
        with self._state:
            self._busy = False
            attention, self._attention = self._attention, False
            return attention

    def _next_packet(self, *, interruptible: bool) -> Packet:
        with self._state:
            while not self._packets:
                if self._lost is not None:
                    raise self._lost
                if interruptible and self._attention:
                    # The client broke its message off with the attention; the rest of it will not come.
                    self._message_open = False
                    raise Cancelled
                self._state.wait()
            packet = self._packets.popleft()
            self._waiting_bytes -= len(packet.data)
            self._state.notify_all()
            return packet

    # ---- the listening thread ----------------------------------------------------------------------------------------
    def _listen(self) -> None:
        try:
            while not self._closed:
                kind, status, size = parse_header(self._transport.receive(HEADER_SIZE))
                self._arrived(Packet(kind, status, self._transport.receive(size)))
        except (ConnectionLost, SqlError) as error:
            with self._state:
                self._lost = error
                self._stop_request()
                self._state.notify_all()

    def _arrived(self, packet: Packet) -> None:
        with self._state:
            if packet.kind == PacketType.ATTENTION and self._busy:
                self._attention = True
                self._stop_request()
                self._state.notify_all()
                return
            self._state.wait_for(lambda: self._waiting_bytes <= ROOM or self._closed)
            if packet.kind != PacketType.ATTENTION:
                self._busy = True
            self._packets.append(packet)
            self._waiting_bytes += len(packet.data)
            self._state.notify_all()

    def _stop_request(self) -> None:
        if self._busy:
            self._cancel()
            repeater = threading.Thread(target=self._repeat_cancel, name="tds-cancel", daemon=True)
            self._repeaters = [*(thread for thread in self._repeaters if thread.is_alive()), repeater]
            repeater.start()

    def _repeat_cancel(self) -> None:
        with self._state:
            while not self._state.wait_for(lambda: not (self._busy and self.attention), CANCEL_AGAIN_AFTER):
                self._cancel()
