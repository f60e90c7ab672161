"""Every type and every kind of value, from the source through the lake to DuckDB, by the whole pipeline and the real driver."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.types.facts import BITS, MATRIX, Column
from tests.support.server_shop import Server
from tests.support.type_tables import TypeTables, errors

NULL_ROWS = 3
"""The first batch has this many rows, all NULL: no type may be guessed from it."""


@pytest.fixture(scope="module")
def house(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TypeTables]:
    """All tables of the matrix, brought over in one run."""
    made = TypeTables(server, tmp_path_factory.mktemp("types"))
    made.processing = {"batch_size": NULL_ROWS}
    for name, columns in MATRIX.items():
        declared = ", ".join(f"{column.name} {column.declared} NULL" for column in columns)
        kept = {column.name: column.representation for column in columns if column.representation}
        made.create(name, f"id int NOT NULL PRIMARY KEY, {declared}", column_representation=kept)
        made.execute(
            f"INSERT INTO {{s}}.{name} (id) VALUES {', '.join(f'({n - NULL_ROWS})' for n in range(NULL_ROWS))}"
        )
        for row, case in enumerate(_cases(columns)):
            cells = ", ".join(column.cells.get(case, ("NULL", ""))[0] for column in columns)
            made.execute(f"INSERT INTO {{s}}.{name} VALUES ({row}, {cells})")
    result = made.run()
    assert errors(result) == []
    yield made
    made.drop()


def _cases(columns: tuple[Column, ...]) -> list[str]:
    return list(dict.fromkeys(case for column in columns for case in column.cells))


def _bits(value: Any) -> str | None:
    return None if value is None else struct.pack(">d", value).hex()


@pytest.mark.parametrize("place", ["lake", "warehouse"])
@pytest.mark.parametrize("name", MATRIX)
def test_every_cell_is_found_as_it_was_stored(house: TypeTables, name: str, place: str) -> None:
    columns = MATRIX[name]
    items = ", ".join("CAST({c} AS DOUBLE)" if c.shown == BITS else c.shown for c in columns)
    for column in columns:
        items = items.replace("{c}", f'"{column.name}"', 1)
    rows = (house.lake if place == "lake" else house.warehouse)(name, items)
    assert rows[:NULL_ROWS] == [(None,) * len(columns)] * NULL_ROWS
    wrong = []
    for case, row in zip(_cases(columns), rows[NULL_ROWS:], strict=True):
        for column, found in zip(columns, row, strict=True):
            expected = column.cells[case][1] if case in column.cells else None
            seen = _bits(found) if column.shown == BITS else found
            if seen != expected:
                wrong.append((column.declared, case, expected, seen))
    assert wrong == []


@pytest.mark.parametrize("name", MATRIX)
def test_the_warehouse_has_the_exact_types(house: TypeTables, name: str) -> None:
    expected = {"id": "INTEGER", **{column.name: column.warehouse for column in MATRIX[name]}}
    assert house.warehouse_types(name) == expected


def test_the_footer_has_the_contract_of_every_column(house: TypeTables) -> None:
    for name, columns in MATRIX.items():
        for footer in house.footers(name):
            contracts = json.loads(footer[b"dltsync.contracts"])
            assert set(contracts) == {"id", *(column.name for column in columns)}
            lossy = {column: contract["lost"] for column, contract in contracts.items() if not contract["lossless"]}
            assert lossy == ({"offset7utc": "the offset"} if name == "moments" else {})


def test_other_data_does_not_change_the_shape(house: TypeTables) -> None:
    """Each column's form is chosen from catalogue and config: the next file of a table is like the first."""
    before = house.footers("moments")[0][b"dltsync.schema_digest"]
    house.execute(
        "INSERT INTO {s}.moments (id, datetime2_7, time7) VALUES (900, '2024-01-01T00:00:00.1234567', '01:00:00')"
    )
    house.execute("DELETE FROM {s}.moments WHERE id = 0")
    assert errors(house.run(table_names=[f"{house.schema}.moments"])) == []
    digests = {footer[b"dltsync.schema_digest"] for footer in house.footers("moments")}
    assert digests == {before}
    assert house.warehouse("moments", "CAST(datetime2_7 AS VARCHAR)", "id DESC")[0] == ("2024-01-01 00:00:00.1234567",)


def test_the_matrix_is_as_large_as_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    columns = [column for columns in MATRIX.values() for column in columns]
    cells = sum(len(column.cells) + 1 for column in columns)
    with capsys.disabled():
        print(f"\nmatrix: {len(columns)} columns, {cells} cells with NULL, in lake and warehouse")
    assert len(columns) >= 55
    assert cells >= 240
