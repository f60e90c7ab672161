"""The sandbox turns Arrow batches into rows on the wire, and bulk rows back. Nothing is sent anywhere; the table has twelve
columns of the kinds that warehouses are made of. Its speed bounds what the other benchmarks can measure in a reasonable time."""

from __future__ import annotations

import io
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from sqlserver_sandbox.model import MAX, ArrowArray, BulkTarget, Column, SqlType
from sqlserver_sandbox.wire.bulk import bulk_batches
from sqlserver_sandbox.wire.fields import b_varchar
from sqlserver_sandbox.wire.rows import encode_batch
from sqlserver_sandbox.wire.type_info import render_type_info

TICKS_2024 = 638396640000000000


def columns() -> tuple[Column, ...]:
    """Twelve columns; `notes` is (max), `code` holds nulls in every tenth row."""
    return (
        Column("id", SqlType("bigint"), nullable=False),
        Column("customer", SqlType("int")),
        Column("status", SqlType("tinyint")),
        Column("paid", SqlType("bit")),
        Column("amount", SqlType("decimal", precision=19, scale=4)),
        Column("price", SqlType("money")),
        Column("weight", SqlType("float")),
        Column("at", SqlType("datetime2", scale=7)),
        Column("day", SqlType("date")),
        Column("name", SqlType("nvarchar", length=60)),
        Column("code", SqlType("varchar", length=20)),
        Column("notes", SqlType("nvarchar", length=MAX)),
    )


def batch(rows: int) -> pa.RecordBatch:
    numbers = np.arange(rows)
    amounts = (
        pa.array(numbers, pa.int64()).cast(pa.decimal128(19, 0)).cast(pa.decimal128(23, 4)).cast(pa.decimal128(19, 4))
    )
    arrays: list[ArrowArray] = [
        pa.array(numbers, pa.int64()),
        pa.array(numbers % 5_000, pa.int32()),
        pa.array(numbers % 7, pa.uint8()),
        pa.array(numbers % 2 == 0),
        amounts,
        amounts,
        pa.array(numbers / 7),
        pa.array(TICKS_2024 + numbers * 10_000_001, pa.int64()),
        pa.array(19_723 + numbers % 365, pa.int32()).cast(pa.date32()),
        pa.array([f"customer number {number} é" for number in numbers]),
        pa.array([None if number % 10 == 0 else f"C-{number:08d}" for number in numbers]),
        pa.array(["x" * (number % 60) for number in numbers]),
    ]
    return pa.RecordBatch.from_arrays(arrays, names=[column.name for column in columns()])


def message(encoded: bytes, declared: tuple[Column, ...]) -> bytes:
    """The rows as a client's bulk data: the server's own columns in front, a DONE behind."""
    head = b"".join(
        bytes(6) + render_type_info(column.type, nullable=column.nullable) + b_varchar(column.name)
        for column in declared
    )
    return b"\x81" + struct.pack("<H", len(declared)) + head + encoded + b"\xfd" + bytes(12)


def packets(data: bytes, size: int = 8_000) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def run(*, rows: int, **_: Any) -> dict[str, Any]:
    """Seconds of processor time by step, the first for Arrow's own stream of the same rows."""
    declared, made = columns(), batch(rows)
    data = message(b"".join(encode_batch(made, declared)), declared)
    target = BulkTarget("dbo", "t", declared)

    def decode() -> None:
        found = sum(part.num_rows for part in bulk_batches(packets(data), target))
        if found != rows:
            raise AssertionError(f"{found} rows came back of {rows}")

    def stream() -> None:
        with pa.ipc.new_stream(io.BytesIO(), made.schema) as writer:
            writer.write_batch(made)

    steps: dict[str, Callable[[], object]] = {
        "Arrow's own stream": stream,
        "rows to the wire": lambda: sum(len(piece) for piece in encode_batch(made, declared)),
        "bulk rows from the wire": decode,
    }
    return {name: _processor_time(work) for name, work in steps.items()}


def _processor_time(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started
