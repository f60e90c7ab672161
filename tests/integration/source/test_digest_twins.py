"""The server's fingerprint and the one computed over what arrived are the same number, and see every change."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dltsync_core.config import StaticTableConfig
from dltsync_core.digest.segment import HashAlgorithm, digest_batches
from dltsync_core.extract.unit import WHOLE
from tests.integration.source.source_tables import SourceTables
from tests.support.server_shop import Server

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
LETTERS = st.text(st.sampled_from("aäßÉ ~:0'€"), max_size=12)


def whole(low: int, high: int) -> st.SearchStrategy[str]:
    return st.integers(low, high).map(str)


def exact(digits: int, scale: int) -> st.SearchStrategy[str]:
    return st.decimals(-(10 ** (digits - scale)) + 1, 10 ** (digits - scale) - 1, places=scale).map(lambda d: f"{d:f}")


def moment(fraction: int, *, first_year: int = 1, last_year: int = 9999) -> st.SearchStrategy[str]:
    seconds = st.builds(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}".format,
        st.integers(first_year, last_year),
        st.integers(1, 12),
        st.integers(1, 28),
        st.integers(0, 23),
        st.integers(0, 59),
        st.integers(0, 59),
    )
    digits = st.integers(0, 10**fraction - 1).map(lambda n: f".{n:0{fraction}}" if fraction else "")
    return st.builds("{}{}".format, seconds, digits)


VALUES: dict[str, st.SearchStrategy[str]] = {
    "bit": st.sampled_from(["0", "1"]),
    "tinyint": whole(0, 255),
    "smallint": whole(-(2**15), 2**15 - 1),
    "int": whole(-(2**31), 2**31 - 1),
    "bigint": whole(-(2**63), 2**63 - 1),
    "decimal(38,10)": exact(38, 10),
    "decimal(38,0)": exact(38, 0),
    "decimal(5,5)": exact(5, 5),
    "numeric(9,2)": exact(9, 2),
    "money": exact(18, 4),
    "smallmoney": exact(9, 4),
    "float": st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False).map(repr),
    "real": st.floats(allow_nan=False, allow_infinity=False, width=32, allow_subnormal=False).map(repr),
    "date": st.dates().map(str),
    "datetime": moment(3, first_year=1753),
    "smalldatetime": st.builds("2013-{:02}-28T{:02}:00:00".format, st.integers(1, 12), st.integers(0, 23)),
    "datetime2(0)": moment(0),
    "datetime2(3)": moment(3),
    "datetime2(7)": moment(7, first_year=1700, last_year=2200),
    "time(0)": moment(0).map(lambda t: t[11:]),
    "time(7)": moment(7).map(lambda t: t[11:]),
    "datetimeoffset(7)": st.builds(
        "{}{}".format, moment(7, first_year=2), st.sampled_from(["+00:00", "-11:30", "+14:00"])
    ),
    "uniqueidentifier": st.uuids().map(str),
    "varchar(40)": LETTERS,
    "char(15)": LETTERS,
    "nvarchar(40)": TEXT,
    "nchar(30)": TEXT,
    "nvarchar(max)": TEXT,
    "varbinary(20)": st.binary(max_size=20).map(lambda b: f"0x{b.hex()}"),
    "binary(4)": st.binary(min_size=4, max_size=4).map(lambda b: f"0x{b.hex()}"),
}
"""What can be brought over, and texts of values of it. Extremes come from the strategies' bounds, which hypothesis likes."""

TYPES = list(VALUES)
WITHOUT_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
"""Every example is a round trip to the server: shrinking takes minutes and a seed reproduces the failure anyway."""

Row = tuple[str | None, ...]
ROWS = st.lists(st.tuples(*(st.none() | values for values in VALUES.values())), max_size=6)


class Twins:
    """A table with a column of every type, and both fingerprints of it."""

    def __init__(self, tables: SourceTables) -> None:
        self.tables = tables
        self.name = f"t{uuid.uuid4().hex[:8]}"
        tables.table(self.name, ", ".join(f"c{i} {kind} NULL" for i, kind in enumerate(TYPES)))
        self.config = StaticTableConfig(table_name=self.name, schema_name=tables.schema)
        self.source = tables.source()
        self.facts = self.source.read_tables([self.config])[self.config.name]
        self.mapping = self.source.map_columns(self.facts, self.config)

    def fill(self, rows: Sequence[Row]) -> None:
        self.tables.run(f"DELETE FROM {{s}}.{self.name}")
        for row in rows:
            values = ", ".join(_placeholder(kind) for kind in TYPES)
            self.tables.run(f"INSERT INTO {{s}}.{self.name} VALUES ({values})", *row)

    def both(self, algorithm: HashAlgorithm = "hashbytes_sha256") -> tuple[str, str]:
        """As computed by the server, and over what arrived."""
        config = self.config.model_copy(update={"hash_algorithm": algorithm})
        arrived: list[pa.RecordBatch] = []
        with self.source.read_view() as view:
            server = view.probe_static(self.facts, self.mapping, config).signature
            view.extract(self.facts, self.mapping, WHOLE, arrived.append)
        arrow = digest_batches(arrived, self.mapping.columns, algorithm=algorithm).text
        return server.removesuffix(f"|{self.mapping.schema_digest}"), arrow


def _placeholder(kind: str) -> str:
    if "binary" in kind:
        return f"CONVERT({kind}, CAST(? AS varchar(200)), 1)"
    return f"CAST(? AS {kind})"


@pytest.fixture(scope="module")
def twins(server: Server) -> Iterator[Twins]:
    """One table for all tests of the module: each fills it anew."""
    tables = SourceTables(server)
    try:
        yield Twins(tables)
    finally:
        tables.drop()


@pytest.mark.parametrize("algorithm", ["hashbytes_sha256", "hashbytes_md5"])
def test_no_rows_and_rows_of_nothing_are_different(twins: Twins, algorithm: HashAlgorithm) -> None:
    twins.fill([])
    nothing, same = twins.both(algorithm)
    assert nothing == same == "0||"
    twins.fill([tuple(None for _ in TYPES)])
    nulls, same = twins.both(algorithm)
    assert nulls == same != nothing


@settings(
    max_examples=15,
    deadline=None,
    phases=WITHOUT_SHRINKING,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(rows=ROWS)
def test_both_twins_agree(twins: Twins, rows: list[Row]) -> None:
    twins.fill(rows)
    server, arrow = twins.both()
    assert server == arrow


SAMPLE: Row = tuple(
    {
        "bit": "1",
        "float": "0.1",
        "real": "0.1",
        "date": "2013-07-01",
        "datetime": "2013-07-01T10:00:00.003",
        "smalldatetime": "2013-07-01T10:00:00",
        "time(0)": "10:00:00",
        "time(7)": "10:00:00.1234567",
        "datetimeoffset(7)": "2013-07-01T10:00:00.1234567+02:00",
        "uniqueidentifier": "6f9619ff-8b86-d011-b42d-00c04fc964ff",
        "varbinary(20)": "0x00ff",
        "binary(4)": "0x00000001",
        "decimal(5,5)": "0.00001",
    }.get(kind, "2013-07-01T10:00:00" if kind.startswith("datetime") else "7")
    for kind in TYPES
)


def changed(row: Row, kind: str, value: str | None) -> Row:
    at = TYPES.index(kind)
    return (*row[:at], value, *row[at + 1 :])


CHANGES: dict[str, tuple[list[Row], list[Row]]] = {
    "a single bit": ([SAMPLE], [changed(SAMPLE, "varbinary(20)", "0x00fe")]),
    "one unit of the last digit": ([SAMPLE], [changed(SAMPLE, "decimal(38,10)", "7.0000000001")]),
    "100 nanoseconds": ([SAMPLE], [changed(SAMPLE, "time(7)", "10:00:00.1234568")]),
    "the offset alone": ([SAMPLE], [changed(SAMPLE, "datetimeoffset(7)", "2013-07-01T09:00:00.1234567+01:00")]),
    "a trailing blank": ([SAMPLE], [changed(SAMPLE, "nvarchar(40)", "7 ")]),
    "case": ([changed(SAMPLE, "nvarchar(40)", "a")], [changed(SAMPLE, "nvarchar(40)", "A")]),
    "NULL and empty": ([changed(SAMPLE, "nvarchar(40)", None)], [changed(SAMPLE, "nvarchar(40)", "")]),
    "NULL and its sign": ([changed(SAMPLE, "nvarchar(40)", None)], [changed(SAMPLE, "nvarchar(40)", "~")]),
    "values swapped between columns": (
        [changed(changed(SAMPLE, "nvarchar(40)", "a"), "nvarchar(max)", "b")],
        [changed(changed(SAMPLE, "nvarchar(40)", "b"), "nvarchar(max)", "a")],
    ),
    "values swapped between rows": (
        [changed(changed(SAMPLE, "int", "1"), "bigint", "1"), changed(changed(SAMPLE, "int", "2"), "bigint", "2")],
        [changed(changed(SAMPLE, "int", "1"), "bigint", "2"), changed(changed(SAMPLE, "int", "2"), "bigint", "1")],
    ),
    "a doubled pair of rows": ([SAMPLE], [SAMPLE, SAMPLE, SAMPLE]),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_change_is_seen_by_both(twins: Twins, case: str) -> None:
    before, after = CHANGES[case]
    twins.fill(before)
    first = twins.both()
    twins.fill(after)
    second = twins.both()
    assert first[0] == first[1]
    assert second[0] == second[1]
    assert first != second


def test_order_does_not_matter(twins: Twins) -> None:
    rows = [changed(SAMPLE, "int", str(n)) for n in range(3)]
    twins.fill(rows)
    first = twins.both()
    twins.fill(rows[::-1])
    assert twins.both() == first
