"""A uniqueidentifier is a UUID in lake and warehouse, or text by choice; neither becomes the other without being asked."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pyodbc
import pytest

from tests.support.server_shop import Server
from tests.support.type_tables import TypeTables, errors

KNOWN = "6F9619FF-8B86-D011-B42D-00C04FC964FF"
STORED = "0xFF19966F868B11D0B42D00C04FC964FF"
"""The bytes of KNOWN as SQL Server stores and sends them: the first three groups reversed."""
OTHER = "00000000-0000-0000-0000-0000000000AB"


@pytest.fixture
def house(server: Server, tmp_path: Path) -> Iterator[TypeTables]:
    made = TypeTables(server, tmp_path)
    made.create("Things", "id uniqueidentifier NOT NULL PRIMARY KEY, other uniqueidentifier NULL")
    made.execute(f"INSERT INTO {{s}}.Things VALUES (CAST({STORED} AS uniqueidentifier), NULL), ('{OTHER}', '{KNOWN}')")
    yield made
    made.drop()


def test_the_files_have_the_logical_type_and_the_bytes_of_the_text(house: TypeTables) -> None:
    assert errors(house.run()) == []
    (file,) = house.lake_files("Things")
    column = pq.ParquetFile(file).schema.column(0)
    assert (column.physical_type, column.length, str(column.logical_type)) == ("FIXED_LEN_BYTE_ARRAY", 16, "UUID")
    assert sorted(pq.read_table(file).to_pandas()["id"]) == [uuid.UUID(OTHER), uuid.UUID(KNOWN)]
    assert house.warehouse_types("Things") == {"id": "UUID", "other": "UUID"}
    assert house.warehouse("Things", '"id", "other"') == [
        (uuid.UUID(OTHER), uuid.UUID(KNOWN)),
        (uuid.UUID(KNOWN), None),
    ]


def test_both_drivers_return_the_text_that_becomes_the_bytes(house: TypeTables, server: Server) -> None:
    """pyodbc is the control session's driver, mssql-python the one that reads rows."""
    with closing(server.connect()) as connection:
        asked = f"SELECT id, CAST(id AS binary(16)) FROM {house.schema}.Things WHERE other IS NULL"
        row: pyodbc.Row = connection.execute(asked).fetchone()
    assert (row[0], row[1]) == (KNOWN, bytes.fromhex(STORED[2:]))
    assert errors(house.run()) == []
    (file,) = house.lake_files("Things")
    assert {one["id"] for one in pq.read_table(file).to_pylist()} == {uuid.UUID(KNOWN), uuid.UUID(OTHER)}


def test_every_side_has_the_digest_of_the_server(house: TypeTables) -> None:
    assert errors(house.run()) == []
    with house.pipeline() as pipeline:
        for algorithm in ("sha256", "md5"):
            report = pipeline.validate_all_tables(fingerprint=algorithm)
            assert report["valid"], report


def test_a_damaged_value_is_found_and_its_row_is_named_as_the_server_writes_it(house: TypeTables) -> None:
    assert errors(house.run()) == []
    with closing(duckdb.connect(str(house.root / "house.duckdb"))) as connection:
        connection.execute(f"UPDATE warehouse.\"Things\" SET other = uuid() WHERE id = '{OTHER}'")
    with house.pipeline() as pipeline:
        report = pipeline.validate_all_tables(fingerprint="sha256", row_diff=True)
    assert not report["valid"]
    assert f"'id': '{OTHER}'" in str(report)
    assert KNOWN in str(report)


def test_a_repeated_key_stops_the_load_and_is_named_as_the_server_writes_it(house: TypeTables) -> None:
    house.tables["Things"] = {"load_strategy": "upsert", "key_columns": ["other"]}
    house.execute(f"INSERT INTO {{s}}.Things VALUES (NEWID(), '{KNOWN}')")
    (failed,) = house.run().failed
    assert f"other = {KNOWN} (2 rows)" in str(failed.error)


def test_rows_are_merged_by_a_uuid_key(house: TypeTables) -> None:
    house.tables["Things"] = {"load_strategy": "upsert", "key_columns": ["id"]}
    assert errors(house.run()) == []
    house.execute(f"UPDATE {{s}}.Things SET other = '{OTHER}' WHERE id = '{KNOWN}'")
    assert errors(house.run()) == []
    assert house.warehouse("Things", '"id", "other"') == [
        (uuid.UUID(OTHER), uuid.UUID(KNOWN)),
        (uuid.UUID(KNOWN), uuid.UUID(OTHER)),
    ]


@pytest.mark.parametrize("direction", ["to uuid", "to text"])
def test_another_choice_is_refused_by_a_warehouse_that_has_the_other_form(house: TypeTables, direction: str) -> None:
    """As for every other type: nothing is converted in silence, and dropping the table is the way through."""
    choices: list[dict[str, object]] = [{"column_representation": {"id": "text", "other": "text"}}, {}]
    before, after = choices if direction == "to uuid" else reversed(choices)
    house.tables["Things"] = before
    assert errors(house.run()) == []
    held = house.warehouse("Things", '"id", "other"')
    house.tables["Things"] = after
    (refused,) = house.run().failed
    assert (refused.error_type, refused.exit_code) == ("DriftError", 11)
    assert "id is " in str(refused.error)
    assert house.warehouse("Things", '"id", "other"') == held
    with closing(duckdb.connect(str(house.root / "house.duckdb"))) as connection:
        connection.execute('DROP TABLE warehouse."Things"')
    assert errors(house.run(full_refresh=True)) == []
    expected = "UUID" if direction == "to uuid" else "VARCHAR"
    assert house.warehouse_types("Things") == {"id": expected, "other": expected}
    shown = "upper(CAST(id AS VARCHAR)), upper(CAST(other AS VARCHAR))"
    assert house.warehouse("Things", shown) == [(OTHER, KNOWN), (KNOWN, None)]


def test_a_uniqueidentifier_that_became_text_is_refused(house: TypeTables) -> None:
    house.create("Retyped", "id int NOT NULL PRIMARY KEY, v uniqueidentifier NULL")
    house.execute(f"INSERT INTO {{s}}.Retyped VALUES (1, '{KNOWN}')")
    assert errors(house.run()) == []
    house.execute("DROP TABLE {s}.Retyped")
    house.execute("CREATE TABLE {s}.Retyped (id int NOT NULL PRIMARY KEY, v nvarchar(36) NULL)")
    house.execute(f"INSERT INTO {{s}}.Retyped VALUES (1, '{KNOWN}')")
    (refused,) = house.run(table_names=["Retyped"]).failed
    assert (refused.error_type, refused.exit_code) == ("DriftError", 11)
    assert "v was uniqueidentifier, is nvarchar(36): no type of the warehouse holds both exactly" in str(refused.error)
