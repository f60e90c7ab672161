"""A table whose lake holds two types of a column, because only some of its partitions were written since the column was widened
or narrowed, and whose warehouse keeps the wider one: validation says equal when it is equal, and names what is not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from tests.support.server_shop import Server
from tests.support.type_tables import TypeTables, errors

NINES = "9" * 38

WIDENED: dict[str, tuple[str, str, str, str]] = {
    "more_digits": ("decimal(10,2)", "decimal(18,4)", "-12345678.91", "0.0001"),
    "most_digits": ("decimal(10,2)", "decimal(38,10)", "-0.01", "9999999999999999999999999999.9999999999"),
    "wide_both": ("decimal(30,2)", "decimal(38,2)", f"-{'9' * 28}.99", f"{'9' * 36}.99"),
    "to_int": ("tinyint", "int", "255", "-2147483648"),
    "to_bigint": ("int", "bigint", "-2147483648", "9223372036854775807"),
    "to_decimal": ("int", "decimal(12,2)", "2147483647", "-9999999999.99"),
    "to_wide_decimal": ("bigint", "decimal(38,18)", "-9223372036854775808", f"{'9' * 20}.{'9' * 18}"),
    "whole_to_bigint": ("decimal(9,0)", "bigint", "-999999999", "-9223372036854775808"),
    "to_money": ("smallmoney", "money", "-214748.3648", "922337203685477.5807"),
    "money_to_decimal": ("money", "decimal(22,6)", "-922337203685477.5808", "0.000001"),
    "int_to_money": ("int", "money", "-5", "0.0001"),
    "to_float": ("real", "float", "0.1", "0.1"),
    "finer": ("datetime2(3)", "datetime2(7)", "'1969-12-31T23:59:59.001'", "'1969-12-31T23:59:59.9999999'"),
    "finer_us": ("datetime2(0)", "datetime2(6)", "'0001-01-01T00:00:00'", "'9999-12-31T23:59:59.999999'"),
    "finer_time": ("time(0)", "time(6)", "'23:59:59'", "'00:00:00.000001'"),
    "to_unicode": ("varchar(10)", "nvarchar(20)", "'Zürich € '", "N'日本 😀 '"),
    "to_max": ("nvarchar(10)", "nvarchar(max)", "N'😀 '", "N''"),
    "unpadded": ("char(5)", "varchar(20)", "'ab'", "'ab '"),
    "to_text": ("varchar(10)", "nvarchar(max)", "''", "N'ł'"),
    "longer_bytes": ("varbinary(4)", "varbinary(max)", "0x00", "0x"),
    "fixed_bytes": ("binary(2)", "varbinary(8)", "0x0100", "0x0100000000"),
    "admits_null": ("int NOT NULL", "int NULL", "7", "NULL"),
    "fewer_whole_digits": ("bigint", "decimal(20,18)", "-9", "0.000000000000000001"),
    "smaller": ("bigint", "smallint", "-32768", "32767"),
    "fewer_wide_digits": ("decimal(38,2)", "decimal(30,2)", "-5.00", "0.01"),
    "fewer_digits": ("decimal(18,2)", "decimal(6,2)", "-9999.99", "0.01"),
    "shorter": ("nvarchar(max)", "nvarchar(9)", "N'😀 '", "N''"),
    "bounded_bytes": ("varbinary(max)", "varbinary(4)", "0x00", "0xFF"),
}
"""Column: declared before, declared after, a value of the partition written before and of the one written after. None of these
changes makes SQL Server touch a stored value, so partitions that did not change are not read again."""

COARSER: dict[str, tuple[str, str, str]] = {
    "less_fraction": ("decimal(12,4)", "decimal(12,2)", "-0.01"),
    "wide_fraction": ("decimal(38,10)", "decimal(30,2)", "-5.00"),
    "no_wide_fraction": ("decimal(38,10)", "decimal(28,0)", "9999999999999999999999999999"),
    "fewer_wide": ("decimal(38,10)", "decimal(20,10)", "-0.0000000001"),
    "no_fraction": ("decimal(12,2)", "int", "-5"),
    "no_money": ("money", "bigint", "922337203685477"),
    "coarser": ("datetime2(7)", "datetime2(3)", "'1969-12-31T23:59:59.001'"),
    "to_grid": ("datetime2(7)", "datetime", "'1969-12-31T23:59:59.003'"),
    "coarser_time": ("time(6)", "time(0)", "'23:59:59'"),
    "less_float": ("float", "real", "0.1"),
}
"""Likewise, with a value that is the same in both. The whole table is read again, and the warehouse keeps its wider types."""


@pytest.fixture(scope="module")
def house(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TypeTables]:
    """Loaded, then changed, then loaded again when of the widened table only the second of its two partitions had changed."""
    made = TypeTables(server, tmp_path_factory.mktemp("widened"))
    made.create_partitioned("Wide", columns(WIDENED, 0))
    made.create("Coarse", columns(COARSER, 0))
    for key in (1, 11):
        made.execute(f"INSERT INTO {{s}}.Wide VALUES ({key}, {', '.join(w[2] for w in WIDENED.values())})")
    made.execute(f"INSERT INTO {{s}}.Coarse VALUES (1, {', '.join(c[2] for c in COARSER.values())})")
    assert errors(made.run()) == []
    remake(made, "Wide", columns(WIDENED, 1), " ON ps_{s}(id)")
    remake(made, "Coarse", columns(COARSER, 1))
    made.execute(f"INSERT INTO {{s}}.Wide VALUES (12, {', '.join(w[3] for w in WIDENED.values())})")
    result = made.run()
    assert errors(result) == []
    assert {(u.table.table, u.unit): u.rows_read for u in result.units} == {
        ("Wide", OLDER): 0,  # keeps its files
        ("Wide", NEWER): 2,
        ("Coarse", "all"): 1,
    }
    yield made
    made.drop()


OLDER, NEWER = "(-inf,10)", "[10,+inf)"


def columns(changes: Mapping[str, tuple[str, ...]], when: int) -> str:
    return ", ".join(["id int NOT NULL", *(f"{name} {change[when]}" for name, change in changes.items())])


def remake(house: TypeTables, table: str, declared: str, where: str = "") -> None:
    """The same rows in other columns, as ALTER COLUMN would leave them."""
    house.execute(f"CREATE TABLE {{s}}.Anew ({declared})")
    house.execute(f"INSERT INTO {{s}}.Anew SELECT * FROM {{s}}.{table}")
    house.execute(f"DROP TABLE {{s}}.{table}")
    house.execute(f"CREATE TABLE {{s}}.{table} ({declared}){where}")
    house.execute(f"INSERT INTO {{s}}.{table} SELECT * FROM {{s}}.Anew")
    house.execute("DROP TABLE {s}.Anew")


def differences(house: TypeTables, *, fingerprint: bool = True) -> list[str]:
    """What `dltsync validate` (`--fingerprint`) says is not equal."""
    with house.pipeline() as pipeline:
        report = pipeline.validate_all_tables(fingerprint="sha256" if fingerprint else None)
    return [message for table in report["tables"] for message in table["messages"]]


@contextmanager
def changed(house: TypeTables, statement: str) -> Iterator[None]:
    """Within the block the warehouse is another one."""
    file: Path = house.root / "house.duckdb"
    whole = file.read_bytes()
    with duckdb.connect(str(file)) as connection:
        connection.execute(statement)
    try:
        yield
    finally:
        file.write_bytes(whole)


@pytest.mark.parametrize("fingerprint", [False, True])
def test_what_is_equal_is_said_to_be_equal(house: TypeTables, fingerprint: bool) -> None:
    assert differences(house, fingerprint=fingerprint) == []


SUMMED = {
    "more_digits": ("0.0001", "-12345678.9100", "-12345678.9099"),
    "most_digits": ("0.0000000001", "-0.0100000000", "-0.0099999999"),
    "wide_both": ("0.01", f"-{'9' * 28}.99", f"-{'9' * 28}.98"),
    "to_bigint": ("1", "-2147483648", "-2147483647"),
    "to_decimal": ("0.01", "2147483647.00", "2147483647.01"),
    "whole_to_bigint": ("1", "-999999999", "-999999998"),
    "to_money": ("0.0001", "-214748.3648", "-214748.3647"),
    "smaller": ("1", "-32768", "-32767"),
    "fewer_wide_digits": (f"1{'0' * 33}", "-5.00", f"{'9' * 32}5.00"),
    "fewer_digits": ("0.01", "-9999.99", "-9999.98"),
}
"""Column: what is added in the warehouse, the sum before and after, of the partition with the older files."""


def test_a_sum_that_differs_is_named_with_its_column_in_the_partition_with_the_older_files(house: TypeTables) -> None:
    added = ", ".join(f"{name} = {name} + {more}" for name, (more, *_) in SUMMED.items())
    with changed(house, f'UPDATE warehouse."Wide" SET {added} WHERE id = 1'):
        assert differences(house, fingerprint=False) == [
            f"{OLDER}: {name}: sum source {before}, lake {before}, warehouse {after}"
            for name, (_, before, after) in SUMMED.items()
        ]


@pytest.mark.parametrize(
    "change",
    [
        "to_unicode = to_unicode || ' '",
        "unpadded = rtrim(unpadded)",
        "to_float = to_float + 1e-15",
        "finer = finer + INTERVAL 1 MICROSECOND",
        "finer_time = finer_time + INTERVAL 1 MICROSECOND",
        "longer_bytes = '\\x00\\x00'::BLOB",
        "to_max = NULL",
    ],
)
@pytest.mark.parametrize(("key", "unit"), [(1, OLDER), (11, NEWER)])
def test_a_value_that_differs_is_seen_in_either_partition(house: TypeTables, change: str, key: int, unit: str) -> None:
    with changed(house, f'UPDATE warehouse."Wide" SET {change} WHERE id = {key}'):
        found = differences(house)
    assert found, "something differs"
    assert all(message.startswith(f"{unit}: ") for message in found)
    assert found[-1] == f"{unit}: the rows of the warehouse have another fingerprint than the source's"


@pytest.mark.parametrize(
    "change",
    [
        "less_fraction = less_fraction + 0.0001",
        "wide_fraction = wide_fraction + 0.001",
        "no_wide_fraction = no_wide_fraction - 0.0000000001",
        "no_fraction = no_fraction + 0.01",
        "no_money = no_money + 0.0001",
        "coarser = make_timestamp_ns(epoch_ns(coarser) + 100)",
        "to_grid = make_timestamp_ns(epoch_ns(to_grid) + 100)",
        "coarser_time = coarser_time - INTERVAL 1 MICROSECOND",
        "less_float = less_float + 1e-9",
    ],
)
def test_what_only_the_wider_type_can_hold_is_seen(house: TypeTables, change: str) -> None:
    """Below the digits that the source declares: a value that it cannot have."""
    with changed(house, f'UPDATE warehouse."Coarse" SET {change}'):
        found = differences(house)
    assert found
    assert found[-1] == "all: the rows of the warehouse have another fingerprint than the source's"


def test_a_sum_shows_digits_that_the_declared_type_does_not_have(house: TypeTables) -> None:
    """Of more than 26 digits the halves that are added up were rounded to the declared scale first."""
    change = (
        "less_fraction = less_fraction + 0.0001, wide_fraction = wide_fraction - 0.0049999999, "
        "no_wide_fraction = no_wide_fraction - 0.0000000001"
    )
    nines = "9" * 28
    with changed(house, f'UPDATE warehouse."Coarse" SET {change}'):
        assert differences(house, fingerprint=False) == [
            "all: less_fraction: sum source -0.01, lake -0.01, warehouse -0.0099",
            "all: wide_fraction: sum source -5.00, lake -5.00, warehouse -5.0049999999",
            f"all: no_wide_fraction: sum source {nines}, lake {nines}, warehouse {int(nines) - 1}.9999999999",
        ]


def test_a_sum_too_large_for_any_type_of_the_warehouse_is_still_a_sum(house: TypeTables) -> None:
    """The warehouse keeps 38 digits where the source declares 20: two damaged values can come to more than 38 digits."""
    nines = "9" * 28
    more = f'INSERT INTO warehouse."Coarse" SELECT * FROM warehouse."Coarse"; UPDATE warehouse."Coarse" SET fewer_wide = {nines}'
    with changed(house, more), house.pipeline() as pipeline:
        report = pipeline.validate_all_tables()
    (unit,) = (unit for t in report["tables"] for unit in t["units"] if unit["unit"] == "all")
    (found,) = (column for column in unit["columns"] if column["column"] == "fewer_wide")
    assert found["warehouse"] == f"{2 * int(nines)}.0000000000"
