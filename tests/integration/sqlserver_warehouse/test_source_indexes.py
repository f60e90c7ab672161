"""`destination.indexes: source`: tables of every kind get the source's nonclustered indexes and are switched as before; the plan
names those that are left out."""

from __future__ import annotations

from typing import Any

import pytest

from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from tests.support.sqlserver_shop import SqlServerShop

INDEXES = (
    "CREATE INDEX by_note ON {s}.Orders (Note DESC, OrderNo) INCLUDE (Amount)",
    "CREATE UNIQUE INDEX by_number ON {s}.Orders (OrderNo, PlacedAt)",
    "CREATE UNIQUE INDEX number_alone ON {s}.Orders (OrderNo) ON [PRIMARY]",
    "CREATE INDEX recent ON {s}.Orders (Amount) WHERE OrderNo > 5",
    "CREATE INDEX by_name ON {s}.Customers (Name) INCLUDE (EndDate)",
    "CREATE UNIQUE INDEX by_change ON {s}.Customers (CustomerNo, Changed)",
    "CREATE UNIQUE INDEX by_area ON {s}.Countries (Area DESC)",
)
COLUMNS = (
    "SELECT t.name, i.name, i.is_unique, c.name, ic.key_ordinal, ic.is_descending_key, ic.is_included_column, d.type_desc "
    "FROM sys.tables AS t JOIN sys.schemas AS s ON s.schema_id = t.schema_id "
    "JOIN sys.indexes AS i ON i.object_id = t.object_id JOIN sys.data_spaces AS d ON d.data_space_id = i.data_space_id "
    "JOIN sys.index_columns AS ic ON ic.object_id = i.object_id AND ic.index_id = i.index_id "
    "JOIN sys.columns AS c ON c.object_id = ic.object_id AND c.column_id = ic.column_id "
    "WHERE s.name = 'warehouse' AND i.type = 2 AND (ic.key_ordinal > 0 OR ic.is_included_column = 1) "
    "ORDER BY t.name, i.name, ic.is_included_column, ic.key_ordinal"
)
MADE: list[tuple[Any, ...]] = [
    ("Countries", "by_area", True, "Area", 1, True, False, "ROWS_FILEGROUP"),
    ("Customers", "by_name", False, "Name", 1, False, False, "ROWS_FILEGROUP"),
    ("Customers", "by_name", False, "EndDate", 0, False, True, "ROWS_FILEGROUP"),
    ("Orders", "by_note", False, "Note", 1, True, False, "PARTITION_SCHEME"),
    ("Orders", "by_note", False, "OrderNo", 2, False, False, "PARTITION_SCHEME"),
    ("Orders", "by_note", False, "Amount", 0, False, True, "PARTITION_SCHEME"),
    ("Orders", "by_number", True, "OrderNo", 1, False, False, "PARTITION_SCHEME"),
    ("Orders", "by_number", True, "PlacedAt", 2, False, False, "PARTITION_SCHEME"),
]
LEFT_OUT = {"number_alone": "(1908)", "recent": "(4947)", "by_change": "may still be in the warehouse"}


def _notes(shop: SqlServerShop) -> list[str]:
    with IncrementalSQLServerParquetPipeline(shop.config()) as pipeline:
        return [note for table in pipeline.plan() for note in table.notes if "index" in note]


@pytest.fixture
def indexed(house: SqlServerShop) -> SqlServerShop:
    for statement in INDEXES:
        house.execute(statement)
    return house


def test_tables_get_the_sources_indexes_and_are_switched(indexed: SqlServerShop) -> None:
    indexed.settings["indexes"] = "source"
    notes = _notes(indexed)
    assert len(notes) == len(LEFT_OUT), notes
    for name, reason in LEFT_OUT.items():
        assert any(f"without the source's index {name}: " in note and reason in note for note in notes), notes
    assert indexed.methods() == dict.fromkeys(("Orders", "Customers", "Countries"), "switch")
    assert indexed.target_query(COLUMNS) == MADE
    indexed.execute("UPDATE {s}.Orders SET Note = N'geändert' WHERE OrderNo = 103")
    indexed.execute("UPDATE {s}.Countries SET Area = 41291 WHERE Code = 'CH'")
    assert _notes(indexed) == [], "the tables are there: nothing is left out any more"
    assert indexed.methods() == {"Orders": "switch", "Countries": "switch"}
    indexed.assert_same()
    assert indexed.target_query(COLUMNS) == MADE
    assert indexed.leftovers() == []


def test_no_index_is_made_unless_it_is_asked_for(indexed: SqlServerShop) -> None:
    assert _notes(indexed) == []
    assert indexed.run().success
    assert indexed.target_query(COLUMNS) == []
