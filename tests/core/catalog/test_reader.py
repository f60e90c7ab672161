"""From catalogue rows to facts, with a session that answers from a dictionary."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from dltsync_core.catalog.facts import TableIndex
from dltsync_core.catalog.queries import query, query_for
from dltsync_core.catalog.reader import list_tables, read_database, read_tables
from dltsync_core.errors import CatalogError, TableNotFound
from dltsync_core.identity import TableName

COLUMN = {
    "object_id": 1, "column_id": 1, "column_name": "id", "type_name": "int", "base_name": "int", "is_user_defined": False,
    "max_length": 4, "precision": 10, "scale": 0, "collation_name": None, "is_nullable": False, "is_identity": True,
    "is_computed": False, "is_hidden": False, "is_sparse": False, "is_column_set": False, "is_masked": False,
    "encryption_type": None, "is_persisted": None, "generated_always_type": 0, "is_filestream": False,
    "is_assembly_type": False,
}  # fmt: skip
INDEX = {
    "object_id": 1, "index_id": 1, "index_name": "pk", "type_desc": "NONCLUSTERED", "is_unique": False,
    "is_primary_key": False, "has_filter": False, "key_ordinal": 1, "is_descending_key": False,
}  # fmt: skip
OBJECTS: list[Mapping[str, Any]] = [
    {"schema_name": "sales", "object_name": "Orders", "object_id": 1, "type": "U "},
    {"schema_name": "sales", "object_name": "OrdersView", "object_id": 2, "type": "V "},
    {"schema_name": "dbo", "object_name": "case", "object_id": 3, "type": "U "},
    {"schema_name": "dbo", "object_name": "CASE", "object_id": 4, "type": "U "},
]
ORDERS = TableName("sales", "Orders")


class Server:
    """Answers each of our queries by its file's name, and remembers what was asked."""

    def __init__(self, **answers: list[Mapping[str, Any]]) -> None:
        self.answers: dict[str, list[Mapping[str, Any]]] = {"objects": list(OBJECTS), "columns": [COLUMN], **answers}
        self.asked: list[tuple[str, tuple[object, ...]]] = []

    def query(self, statement: str, parameters: Sequence[object] = ()) -> list[Mapping[str, Any]]:
        header = re.sub(r"IN \((\?, )*\?\)", "IN (?)", statement)
        names = ["database", "objects", "columns", "keys", "partitioning", "boundaries", "partitions", "descriptions"]
        name = next(n for n in [*names, "row_filters", "unmask"] if query(n) == header)
        self.asked.append((name, tuple(parameters)))
        return self.answers.get(name, [])


def test_a_table_is_found_whatever_the_case_and_keeps_the_catalogue_s_spelling() -> None:
    found = read_tables(Server(), [TableName("SALES", "orders")], "shop")
    assert found[TableName("SALES", "orders")].name == ORDERS


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (TableName("sales", "Ordesr"), "did you mean sales.Orders?"),
        (TableName("dbo", "Orders"), "did you mean sales.Orders?"),
        (TableName("x", "y"), "is not found in database shop, or this login is not permitted to see it"),
    ],
)
def test_a_table_that_is_not_there_gets_the_nearest_name(wanted: TableName, said: str) -> None:
    with pytest.raises(TableNotFound) as caught:
        read_tables(Server(), [wanted], "shop")
    assert said in str(caught.value)


def test_views_and_ambiguous_names_are_explained() -> None:
    with pytest.raises(CatalogError, match=r"sales\.OrdersView is a view"):
        read_tables(Server(), [TableName("sales", "ordersview")], "shop")
    with pytest.raises(CatalogError, match="could be any of"):
        read_tables(Server(), [TableName("dbo", "Case")], "shop")
    exact = read_tables(Server(columns=[{**COLUMN, "object_id": 3}]), [TableName("dbo", "case")], "shop")
    assert exact[TableName("dbo", "case")].object_id == 3


def test_a_table_whose_columns_are_invisible_is_told() -> None:
    with pytest.raises(TableNotFound, match="no column this login may see"):
        read_tables(Server(columns=[]), [ORDERS], "shop")


def test_one_round_trip_per_kind_of_fact_however_many_tables() -> None:
    many: list[Mapping[str, Any]] = [
        {"schema_name": "dbo", "object_name": f"t{i}", "object_id": i, "type": "U "} for i in range(1, 51)
    ]
    server = Server(objects=many, columns=[{**COLUMN, "object_id": i} for i in range(1, 51)])
    found = read_tables(server, [TableName("dbo", f"t{i}") for i in range(1, 51)], "shop")
    assert len(found) == 50
    names = [name for name, _ in server.asked]
    assert sorted(names) == sorted(set(names))
    assert len(names) <= 8


def test_types_are_told_in_the_system_s_words() -> None:
    columns: list[Mapping[str, Any]] = [
        {**COLUMN, "type_name": "PhoneNumber", "base_name": "nvarchar", "is_user_defined": True},
        {**COLUMN, "column_id": 2, "column_name": "rv", "type_name": "timestamp", "base_name": "timestamp"},
        {**COLUMN, "column_id": 3, "column_name": "h", "type_name": "hierarchyid", "base_name": None},
        {**COLUMN, "column_id": 4, "column_name": f"graph_id_{'0A' * 16}", "is_hidden": True},
        {**COLUMN, "column_id": 5, "column_name": "secret", "encryption_type": 1},
        {
            **COLUMN,
            "column_id": 6,
            "column_name": "own",
            "type_name": "Point",
            "base_name": None,
            "is_user_defined": True,
        },
        {**COLUMN, "column_id": 7, "column_name": "host", "type_name": "sysname", "base_name": "nvarchar"},
    ]
    facts = read_tables(Server(columns=columns), [ORDERS], "shop")[ORDERS]
    assert [c.type_name for c in facts.columns[:3]] == ["nvarchar", "rowversion", "hierarchyid"]
    assert facts.columns[0].alias_name == "PhoneNumber"
    assert facts.columns[3].is_graph_internal
    assert facts.columns[4].is_encrypted
    assert facts.columns[5].type_name == "point"
    assert (facts.columns[6].type_name, facts.columns[6].alias_name) == ("nvarchar", "sysname")


@pytest.mark.parametrize(("unmask", "masked"), [(1, False), (0, True)])
def test_a_mask_counts_only_for_a_login_that_does_not_see_through_it(unmask: int, masked: bool) -> None:
    server = Server(columns=[{**COLUMN, "is_masked": True}], unmask=[{"unmask": unmask}])
    assert read_tables(server, [ORDERS], "shop")[ORDERS].columns[0].is_masked is masked


def test_keys_partitions_filters_and_descriptions_find_their_table() -> None:
    server = Server(
        keys=[
            {**INDEX, "is_primary_key": True, "is_unique": True, "column_name": "id"},
            {**INDEX, "is_primary_key": True, "is_unique": True, "column_name": "d", "key_ordinal": 2},
            {**INDEX, "index_id": 3, "index_name": "ux", "is_unique": True, "column_name": "code"},
            {
                **INDEX,
                "index_id": 4,
                "index_name": "part",
                "is_unique": True,
                "has_filter": True,
                "column_name": "code",
            },
            {**INDEX, "index_id": 5, "index_name": "ix", "column_name": "d", "is_descending_key": True},
            {**INDEX, "index_id": 5, "index_name": "ix", "column_name": "note", "key_ordinal": 0},
        ],
        partitions=[
            {"object_id": 1, "partition_number": n, "approx_rows": rows} for n, rows in [(1, 5), (2, 7), (3, 0)]
        ],
        partitioning=[
            {
                "object_id": 1,
                "function_id": 9,
                "function_name": "pf",
                "scheme_name": "ps",
                "boundary_value_on_right": True,
                "column_id": 1,
            }
        ],
        boundaries=[
            {"function_id": 9, "boundary_id": 1, "boundary_text": None},
            {"function_id": 9, "boundary_id": 2, "boundary_text": "10"},
        ],
        row_filters=[{"object_id": 1}],
        descriptions=[{"object_id": 1, "description": "what was sold"}],
    )
    facts = read_tables(server, [ORDERS], "shop")[ORDERS]
    assert facts.primary_key == ("id", "d")
    assert facts.unique_keys == (("id", "d"), ("code",))
    assert [index.name for index in facts.indexes] == ["pk", "ux", "part", "ix"]
    assert facts.indexes[-1] == TableIndex("ix", "NONCLUSTERED", (("d", True),), ("note",))
    assert (facts.approx_rows, facts.has_row_filter, facts.description) == (12, True, "what was sold")
    assert facts.partitioning is not None
    assert [(s.number, s.range.key, s.approx_rows) for s in facts.partitioning.slots] == [
        (1, "(-inf,null)", 5),
        (2, "[null,10)", 7),
        (3, "[10,+inf)", 0),
    ]
    assert [s.range.holds_null for s in facts.partitioning.slots] == [False, True, False]


def test_a_split_between_two_queries_is_noticed() -> None:
    server = Server(
        partitions=[{"object_id": 1, "partition_number": n, "approx_rows": 0} for n in (1, 2, 3)],
        partitioning=[
            {
                "object_id": 1,
                "function_id": 9,
                "function_name": "pf",
                "scheme_name": "ps",
                "boundary_value_on_right": False,
                "column_id": 1,
            }
        ],
        boundaries=[{"function_id": 9, "boundary_id": 1, "boundary_text": "10"}],
    )
    with pytest.raises(CatalogError, match="changed while it was read"):
        read_tables(server, [ORDERS], "shop")


def test_the_database_s_own_words() -> None:
    row = {
        "server_name": "S", "database_name": "shop", "product_version": "16.0.1000.6", "engine_edition": 3,
        "collation_name": "Latin1_General_CI_AS", "compatibility_level": 160, "snapshot_state": 1,
        "read_committed_snapshot": 0,
    }  # fmt: skip
    facts = read_database(Server(database=[row]))
    assert (facts.snapshot_allowed, facts.read_committed_snapshot) == (True, False)
    assert read_database(Server(database=[{**row, "snapshot_state": 3}])).snapshot_allowed is False


def test_a_list_of_ids_is_widened_and_nothing_else() -> None:
    assert "IN (?, ?, ?)" in query_for("columns", 3)
    with pytest.raises(ValueError, match="no single IN"):
        query_for("objects", 3)


def test_the_list_of_tables_has_neither_views_nor_synonyms_and_says_which_are_partitioned() -> None:
    listed = list_tables(Server(partitioning=[{"object_id": 1}]))
    assert [(str(table.name), table.is_partitioned) for table in listed] == [
        ("dbo.CASE", False),
        ("dbo.case", False),
        ("sales.Orders", True),
    ]
