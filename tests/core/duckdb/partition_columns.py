"""Columns that may partition a table: values as whole numbers, boundaries as the server writes them, Arrow types."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from dltsync_core.catalog.facts import ColumnFacts


def column(type_name: str, *, scale: int = 0, length: int = 8, name: str = "when?") -> ColumnFacts:
    return ColumnFacts(name, 1, type_name, length, 38, scale, None, is_nullable=True)


@dataclass(frozen=True)
class Family:
    """A column type: its values as whole numbers, how the server writes a boundary, what Arrow holds."""

    column: ColumnFacts
    arrow: pa.DataType
    numbers: st.SearchStrategy[int]
    """Values a row can have."""
    boundaries: st.SearchStrategy[int]
    """Values a boundary can have: in the same unit, but finer or further where the server's type is."""
    text: Callable[[int], str]
    stored: Callable[[int], Any]


def moment(ticks: int) -> str:
    """100 ns since the year 1 as datetime2(7) is written."""
    whole, rest = divmod(ticks, 10_000_000)
    return f"{datetime(1, 1, 1) + timedelta(seconds=whole):%Y-%m-%d %H:%M:%S}.{rest:07d}".rjust(27, "0")


SECOND, DAY = 10_000_000, 864_000_000_000


EPOCH = 719_162 * DAY


END = 3_652_059 * DAY - 1


NS_LOW, NS_HIGH = (datetime(1677, 9, 22) - datetime(1, 1, 1)).days * DAY, EPOCH + (2**63 - 1) // 100


near = st.integers(-30, 30)


def ticks(low: int, high: int, step: int = 1) -> st.SearchStrategy[int]:
    """Around a few anchors, so that values fall on and beside boundaries."""
    anchors = [a for a in (0, EPOCH, EPOCH + 20_000 * DAY, END, NS_LOW, NS_HIGH) if low <= a <= high]
    return st.builds(lambda a, d: min(max(a + d, low), high) // step * step, st.sampled_from(anchors), near)


FAMILIES: dict[str, Family] = {
    "int": Family(column("int"), pa.int32(), near, near, str, lambda n: n),
    "tinyint": Family(column("tinyint"), pa.int16(), st.integers(0, 255), st.integers(0, 255), str, lambda n: n),
    "bigint": Family(
        column("bigint"),
        pa.int64(),
        st.sampled_from([-(2**63), -1, 0, 1, 2**63 - 1]),
        st.sampled_from([-(2**63), -1, 0, 1, 2**63 - 1]),
        str,
        lambda n: n,
    ),
    "bit": Family(column("bit"), pa.bool_(), st.integers(0, 1), st.integers(0, 1), str, bool),
    "decimal": Family(
        column("decimal", scale=10),
        pa.decimal128(38, 10),
        st.builds(lambda big, small: big * 10**30 + small, near, near),
        st.builds(lambda big, small: big * 10**30 + small, near, near),
        lambda n: f"{'-' if n < 0 else ''}{abs(n) // 10**10}.{abs(n) % 10**10:010d}",
        lambda n: Decimal(f"{'-' if n < 0 else ''}{abs(n) // 10**10}.{abs(n) % 10**10:010d}"),
    ),
    "money": Family(
        column("money", scale=4),
        pa.decimal128(19, 4),
        near,
        near,
        lambda n: f"{'-' if n < 0 else ''}{abs(n) // 10**4}.{abs(n) % 10**4:04d}",
        lambda n: Decimal(n).scaleb(-4),
    ),
    "float": Family(column("float"), pa.float64(), near, near, lambda n: f"{n / 10:.16e}", lambda n: n / 10),
    "real": Family(
        column("real"),
        pa.float32(),
        near,
        near,
        lambda n: f"{pa.scalar(n / 10, pa.float32()).as_py():.16e}",
        lambda n: n / 10,
    ),
    "date": Family(
        column("date"),
        pa.date32(),
        st.sampled_from([0, 1, 719_162, 719_163, 3_652_058]),
        st.sampled_from([0, 1, 719_162, 719_163, 3_652_058]),
        lambda n: moment(n * DAY)[:10],
        lambda n: (datetime(1, 1, 1) + timedelta(days=n)).date(),
    ),
    "datetime": Family(
        column("datetime", scale=3),
        pa.timestamp("ms"),
        ticks(EPOCH, END, 10_000),
        ticks(EPOCH, END, 10_000),
        lambda n: moment(n)[:23].replace(" ", "T"),
        lambda n: datetime(1, 1, 1) + timedelta(microseconds=n // 10),
    ),
    "datetime2 microseconds, boundaries finer": Family(
        column("datetime2", scale=7),
        pa.timestamp("us"),
        ticks(0, END, 10),
        ticks(0, END),
        moment,
        lambda n: datetime(1, 1, 1) + timedelta(microseconds=n // 10),
    ),
    "datetime2 nanoseconds, boundaries further": Family(
        column("datetime2", scale=7),
        pa.timestamp("ns"),
        ticks(NS_LOW, NS_HIGH),
        ticks(0, END),
        moment,
        lambda n: (n - EPOCH) * 100,
    ),
    "datetime2 as text": Family(
        column("datetime2", scale=7), pa.string(), ticks(0, END), ticks(0, END), moment, moment
    ),
    "datetimeoffset as utc": Family(
        column("datetimeoffset", scale=6),
        pa.timestamp("us", tz="UTC"),
        ticks(DAY, END - DAY, 10),
        ticks(DAY, END - DAY, 10),
        lambda n: f"{moment(n + 2 * 36_000_000_000)} +02:00",
        lambda n: (n - EPOCH) // 10,
    ),
    "datetimeoffset as utc, boundaries finer": Family(
        column("datetimeoffset", scale=7),
        pa.timestamp("us", tz="UTC"),
        ticks(DAY, END - DAY, 10),
        ticks(DAY, END - DAY),
        lambda n: f"{moment(n - 5 * 36_000_000_000)}-05:00",
        lambda n: (n - EPOCH) // 10,
    ),
    "time": Family(
        column("time", scale=7),
        pa.time64("us"),
        st.integers(0, 5).map(lambda n: n * 10),
        st.integers(0, 60),
        lambda n: moment(n)[11:],
        lambda n: (datetime(1, 1, 1) + timedelta(microseconds=n // 10)).time(),
    ),
    "time as text": Family(
        column("time", scale=7),
        pa.string(),
        st.integers(0, 60),
        st.integers(0, 60),
        lambda n: moment(n)[11:],
        lambda n: moment(n)[11:],
    ),
    "binary": Family(
        column("binary", length=2),
        pa.binary(),
        st.integers(0, 65535),
        st.integers(0, 65535),
        lambda n: f"0x{n:04X}",
        lambda n: n.to_bytes(2, "big"),
    ),
}


def raw_type(kind: pa.DataType) -> pa.DataType:
    """Moments beyond Python's reach are given as numbers."""
    return pa.int64() if kind in {pa.timestamp("ns"), pa.timestamp("us", tz="UTC")} else kind
