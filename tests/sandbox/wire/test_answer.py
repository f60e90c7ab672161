"""The chain of DONE tokens, byte by byte: clients that miscount it hang or lose results."""

from __future__ import annotations

import struct

from sqlserver_sandbox.model import Outcome, RowsAffected, SqlError
from sqlserver_sandbox.wire.answer import Answer
from sqlserver_sandbox.wire.packets import ReplyWriter
from sqlserver_sandbox.wire.tokens import Done

MORE, ERROR, COUNT, ATTENTION = 0x01, 0x02, 0x10, 0x20


def answered(*outcomes: Outcome, kind: Done = Done.BATCH, attention: bool = False) -> list[tuple[int, int, int]]:
    """(token, status, count) of every DONE in the answer; errors are skipped."""
    sent: list[bytes] = []
    answer = Answer(ReplyWriter(sent.append), server="S", reads_utf8=True, attention=lambda: False)
    answer.outcomes(outcomes, kind)
    answer.end(attention=attention)
    data = b"".join(sent)[8:]
    found = []
    while data:
        if data[0] == 0xAA:
            data = data[3 + struct.unpack_from("<H", data, 1)[0] :]
            continue
        token, status, _command, count = struct.unpack_from("<BHHQ", data)
        found.append((token, status, count))
        data = data[13:]
    return found


def test_only_the_last_done_says_that_nothing_follows() -> None:
    assert answered(RowsAffected(3), RowsAffected(None), RowsAffected(0)) == [
        (0xFD, COUNT | MORE, 3),
        (0xFD, MORE, 0),
        (0xFD, COUNT, 0),
    ]


def test_an_empty_batch_has_one_done() -> None:
    assert answered() == [(0xFD, 0, 0)]


def test_statements_after_an_error_are_still_answered() -> None:
    divide = SqlError(8134, "Divide by zero error encountered.")
    assert answered(RowsAffected(1), divide, RowsAffected(2)) == [
        (0xFD, COUNT | MORE, 1),
        (0xFD, ERROR | MORE, 0),
        (0xFD, COUNT, 2),
    ]


def test_an_attention_is_acknowledged_last() -> None:
    assert answered(RowsAffected(1), attention=True) == [(0xFD, COUNT | MORE, 1), (0xFD, ATTENTION, 0)]


def test_packets_are_cut_at_the_negotiated_size_and_numbered() -> None:
    sent: list[bytes] = []
    writer = ReplyWriter(sent.append, spid=51)
    writer.packet_size = 512
    writer.write(bytes(range(256)) * 400)
    writer.end_message()
    data = b"".join(sent)
    packets, body = [], b""
    while data:
        kind, status, size, spid, number, _window = struct.unpack_from(">BBHHBB", data)
        packets.append((kind, status, size, spid, number))
        body += data[8:size]
        data = data[size:]
    assert body == bytes(range(256)) * 400
    assert {packet[:4] for packet in packets[:-1]} == {(4, 0, 512, 51)}
    assert packets[-1][1] == 1
    assert [packet[4] for packet in packets] == [(place + 1) % 256 for place in range(len(packets))]
