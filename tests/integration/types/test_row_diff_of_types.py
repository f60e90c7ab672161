"""A value that breaks the contract of its column stops its table; the message names table, column, the key of the row and what to
change. One table for each way to break one, all in one run, by the whole pipeline and the real driver."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dltsync_core.run.result import RunResult
from tests.support.server_shop import Server
from tests.support.type_tables import TypeTables

BROKEN: dict[str, tuple[str, str, str | None, str, str]] = {
    "fine_moment": (
        "datetime2(7)",
        "'2024-01-01T00:00:00.1234567'",
        "microseconds",
        "holds 2024-01-01 00:00:00.1234567, whose seventh digit",
        "{v: nanoseconds}",
    ),
    "far_moment": (
        "datetime2(7)",
        "'9999-12-31T00:00:00'",
        None,
        "holds 9999-12-31 00:00:00, outside 1677-09-22 00:00:00 to 2262-04-11 23:47:16.8547758",
        "{v: microseconds}",
    ),
    "far_fine_moment": (
        "datetime2(7)",
        "'9999-12-31T23:59:59.9999999'",
        "nanoseconds",
        "holds 9999-12-31 23:59:59.9999999, outside 1677-09-22 00:00:00 to 2262-04-11 23:47:16.8547758",
        "{v: open_end}",
    ),
    "fine_time": (
        "time(7)",
        "'23:59:59.9999999'",
        "microseconds",
        "holds 23:59:59.9999999, whose seventh digit",
        "{v: text}",
    ),
    "fine_instant": (
        "datetimeoffset(7)",
        "'2024-01-01T00:00:00.1234567 +05:30'",
        "utc",
        "holds 2023-12-31 18:30:00.1234567Z, whose seventh digit",
        "{v: text}",
    ),
}
"""Table: type, the literal that does not fit, the representation asked for, what is said of the value, what to write."""


@pytest.fixture(scope="module")
def broken(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TypeTables, RunResult]]:
    house = TypeTables(server, tmp_path_factory.mktemp("broken"))
    for name, (declared, literal, kept, *_) in BROKEN.items():
        key = "a int NOT NULL, b nvarchar(10) NOT NULL, PRIMARY KEY (a, b)"
        house.create(name, f"{key}, v {declared} NULL", column_representation={"v": kept} if kept else {})
        house.execute(f"INSERT INTO {{s}}.{name} VALUES (1, N'fits', NULL), (1, N'Łódź', {literal}), (2, N'x', NULL)")
    yield house, house.run()
    house.drop()


@pytest.mark.parametrize("name", BROKEN)
def test_the_message_names_the_row_and_nothing_is_written(broken: tuple[TypeTables, RunResult], name: str) -> None:
    house, result = broken
    (unit,) = [u for u in result.units if u.table.table == name]
    _, _, _, value, remedy = BROKEN[name]
    said = str(unit.error)
    assert (unit.error_type, unit.exit_code) == ("FidelityError", 6)
    assert f"{house.schema}.{name}: column v {value}" in said
    assert "row a = 1, b = Łódź" in said
    assert f"column_representation: {remedy}" in said
    assert (house.lake_files(name), house.warehouse_types(name) if (house.root / "house.duckdb").exists() else {}) == (
        [],
        {},
    )
