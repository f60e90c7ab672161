"""What is encoded decodes to the same: rows out and bulk rows in are written by different code over the same facts."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqlserver_sandbox.model import MAX, BulkTarget, Column, SqlType
from sqlserver_sandbox.wire.bulk import bulk_batches
from sqlserver_sandbox.wire.codec.values import arrow_form
from sqlserver_sandbox.wire.fields import b_varchar
from sqlserver_sandbox.wire.rows import encode_batch
from sqlserver_sandbox.wire.type_info import render_type_info
from tests.sandbox.wire.type_cases import CASES, Case

TICKS = st.integers(0, 3155378975999999999)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def _decimals(precision: int, scale: int) -> st.SearchStrategy[Decimal]:
    most = 10**precision - 1
    return st.integers(-most, most).map(lambda unscaled: Decimal(unscaled).scaleb(-scale))


VALUES: tuple[tuple[SqlType, st.SearchStrategy[Any]], ...] = (
    (SqlType("int"), st.integers(-(2**31), 2**31 - 1)),
    (SqlType("bit"), st.booleans()),
    (SqlType("decimal", precision=38, scale=0), st.integers(-(10**38) + 1, 10**38 - 1).map(Decimal)),
    (SqlType("decimal", precision=19, scale=4), _decimals(19, 4)),
    (SqlType("money"), st.integers(-(2**63), 2**63 - 1).map(lambda unscaled: Decimal(unscaled).scaleb(-4))),
    (SqlType("datetime2", scale=7), TICKS),
    (SqlType("datetimeoffset", scale=7), st.fixed_dictionaries({"ticks": TICKS, "offset": st.integers(-840, 840)})),
    (SqlType("datetime"), st.integers(-53690 * 25920000, 2958464 * 25920000 - 1)),
    (SqlType("nvarchar", length=40), TEXT),
    (SqlType("nvarchar", length=MAX), TEXT),
    (SqlType("varchar", length=40), st.text(st.characters(codec="cp1252"), max_size=20)),
    (SqlType("varchar", length=80, collation="Latin1_General_100_CI_AS_SC_UTF8"), TEXT),
    (SqlType("varbinary", length=MAX), st.binary(max_size=50)),
    (SqlType("uniqueidentifier"), st.uuids().map(lambda value: str(value).upper())),
)


def through_the_wire(arrays: list[pa.Array[Any]], declared: tuple[Column, ...], packet: int) -> list[list[Any]]:
    """Encode as the server does, decode as a bulk message cut into packets."""
    rows = pa.RecordBatch.from_arrays(arrays, names=[column.name for column in declared])
    head = b"".join(
        bytes(6) + render_type_info(column.type, nullable=column.nullable) + b_varchar(column.name)
        for column in declared
    )
    data = b"\x81" + struct.pack("<H", len(declared)) + head
    data += b"".join(encode_batch(rows, declared)) + b"\xfd" + bytes(12)
    packets: Iterator[bytes] = (data[start : start + packet] for start in range(0, len(data), packet))
    found: list[list[Any]] = [[] for _column in declared]
    for batch in bulk_batches(packets, BulkTarget("dbo", "t", declared)):
        for values, array in zip(found, batch.columns, strict=True):
            values += array.to_pylist()
    return found


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_rows_of_any_shape_come_back_equal(data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.sampled_from(VALUES), min_size=1, max_size=10))
    count = data.draw(st.integers(1, 12))
    declared, wanted = [], []
    for place, (sql_type, strategy) in enumerate(chosen):
        nullable = data.draw(st.booleans())
        values = strategy if not nullable else st.none() | strategy
        wanted.append(data.draw(st.lists(values, min_size=count, max_size=count)))
        declared.append(Column(f"c{place}", sql_type, nullable=nullable))
    arrays: list[pa.Array[Any]] = [
        pa.array(values, arrow_form(column.type)) for values, column in zip(wanted, declared, strict=True)
    ]
    start = data.draw(st.integers(0, count - 1))  # a slice: arrays with an offset are where codecs go wrong
    sliced = [array.slice(start) for array in arrays]
    packet = data.draw(st.sampled_from([1, 13, 100_000]))
    assert through_the_wire(sliced, tuple(declared), packet) == [values[start:] for values in wanted]


@pytest.mark.parametrize("case", [case for case in CASES if case.type.name not in ("text", "ntext", "image")], ids=str)
def test_every_type_comes_back_equal(case: Case) -> None:
    values = [None, *case.stored, None]
    column = Column("v", case.type)
    assert through_the_wire([pa.array(values, arrow_form(case.type))], (column,), 4096) == [values]
