"""A column of a table without partitions gets a wider type, and keys, indexes and constraints depend on it (5074)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dltsync_core.errors import DriftError
from dltsync_core.warehouse.port import Loaded, TableInspection
from tests.services.warehouse.sqlserver.loads import KEYED, TARGET, orders, request, rows
from tests.support.server_shop import Server
from tests.support.sqlserver_warehouse import Prepared, SandboxWarehouse, prepared_warehouse

OTHER = ("sales", "Others")
BIG = 3_000_000_000


def wider(given: Mapping[int, str | None]) -> pa.Table:
    """The same rows with a number of 64 bits."""
    found = orders({})
    schema = pa.schema([pa.field("No", pa.int64(), nullable=False), found.schema.field("Note")])
    return pa.table({"No": pa.array(list(given), pa.int64()), "Note": list(given.values())}, schema=schema)


def load(house: SandboxWarehouse, table: pa.Table, *, fence: int, target: tuple[str, str] = TARGET) -> Loaded:
    return house.warehouse.load(request(house, table, target=target, layout=KEYED, fence=fence))


def objects(house: SandboxWarehouse) -> list[tuple[Any, ...]]:
    """Indexes, keys and constraints of both tables, with their columns."""
    return [
        *house.query(
            "SELECT t.name, i.name, i.type_desc, i.is_unique, i.is_primary_key, c.name, ic.is_included_column "
            "FROM sys.tables AS t JOIN sys.indexes AS i ON i.object_id = t.object_id "
            "JOIN sys.index_columns AS ic ON ic.object_id = i.object_id AND ic.index_id = i.index_id "
            "JOIN sys.columns AS c ON c.object_id = t.object_id AND c.column_id = ic.column_id "
            "WHERE SCHEMA_NAME(t.schema_id) = N'sales' ORDER BY t.name, i.name, ic.index_column_id"
        ),
        *house.query("SELECT name, definition, is_disabled, is_not_trusted FROM sys.check_constraints ORDER BY name"),
    ]


def types(house: SandboxWarehouse, table: str = "Orders") -> list[str]:
    found = house.query(
        "SELECT y.name FROM sys.columns AS c JOIN sys.types AS y ON y.user_type_id = c.user_type_id "
        f"WHERE c.object_id = OBJECT_ID(N'sales.{table}') ORDER BY c.column_id"
    )
    return [name for (name,) in found]


def fill_keyed(house: SandboxWarehouse) -> None:
    for target in (TARGET, OTHER):
        load(house, orders({1: "a", 2: "b"}), fence=1, target=target)
    house.query("CREATE UNIQUE INDEX ux ON sales.Orders (No DESC) INCLUDE (Note)")
    house.query("ALTER TABLE sales.Orders WITH CHECK ADD CONSTRAINT ck CHECK (No > 0)")


@pytest.fixture(scope="module")
def once_keyed(home_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    with prepared_warehouse(home_server, tmp_path_factory.mktemp("keyed"), fill_keyed) as made:
        yield made


@pytest.fixture
def keyed(once_keyed: Prepared, tmp_path: Path) -> Iterator[SandboxWarehouse]:
    """Two tables with a primary key on the number, one of them with more that depends on it."""
    with once_keyed.copy(tmp_path) as house:
        yield house


def test_the_load_is_refused_in_the_plan_too_and_names_what_depends(keyed: SandboxWarehouse) -> None:
    before = objects(keyed)
    new = wider({1: "a", BIG: "far"})
    asked = TableInspection("p", {}, new.schema, KEYED)
    refusal = keyed.warehouse.inspect({TARGET: asked})[TARGET].refusal
    assert refusal is not None
    with pytest.raises(DriftError) as caught:
        load(keyed, new, fence=2)
    assert caught.value.problem == refusal.problem
    assert "No is int in the warehouse and bigint in the load, and primary key PK__Orders" in refusal.problem
    assert "index ux, CHECK constraint ck depend on it (error 5074)" in refusal.problem
    assert "destination.changed_types: rebuild" in str(refusal.remedy)
    assert (rows(keyed), objects(keyed)) == ([(1, "a"), (2, "b")], before)


def test_all_of_it_is_dropped_and_made_again_where_the_config_allows_it(keyed: SandboxWarehouse) -> None:
    before = objects(keyed)
    house = keyed.another(may_rebuild=True)
    new = wider({1: "a", BIG: "far"})
    (note,) = house.warehouse.inspect({TARGET: TableInspection("p", {}, new.schema, KEYED)})[TARGET].notes
    assert "dropped and made again in the warehouse" in note
    assert "index ux" in note
    assert load(house, new, fence=2).method == "switch"
    assert rows(house) == [(1, "a"), (BIG, "far")]
    assert objects(house) == before
    assert (types(house), types(house, "Others")) == (["bigint", "nvarchar"], ["int", "nvarchar"])
    with pytest.raises(Exception, match="547"):
        house.query("INSERT INTO sales.Orders VALUES (0, N'x')")
    assert house.staging() == []


def test_nothing_is_changed_when_one_of_them_cannot_be_made_again(keyed: SandboxWarehouse) -> None:
    """A CHECK constraint that older rows break: it was made without looking at them."""
    keyed.query("ALTER TABLE sales.Orders WITH NOCHECK ADD CONSTRAINT broken CHECK (No > 1)")
    before = objects(keyed)
    with pytest.raises(Exception, match="547"):
        load(keyed.another(may_rebuild=True), wider({3: "c"}), fence=2)
    assert (rows(keyed), types(keyed), objects(keyed)) == ([(1, "a"), (2, "b")], ["int", "nvarchar"], before)


def test_a_foreign_key_is_left_to_its_owner(keyed: SandboxWarehouse) -> None:
    keyed.query("CREATE TABLE dbo.Child (No int NOT NULL CONSTRAINT fk REFERENCES sales.Others (No))")
    with pytest.raises(DriftError, match=r"referencing foreign key fk depends on it \(error 5074\)"):
        load(keyed.another(may_rebuild=True), wider({3: "c"}), fence=2, target=OTHER)


def test_a_column_on_which_nothing_depends_is_altered(keyed: SandboxWarehouse) -> None:
    keyed.query("ALTER TABLE sales.Orders ADD Extra int NULL")
    plain = orders({1: "a"}).append_column("Extra", pa.array([BIG], pa.int64()))
    keyed.warehouse.load(request(keyed, plain, fence=2))
    assert rows(keyed) == [(1, "a", BIG)]


def coded(given: Mapping[int, int | None], *, nullable: bool) -> pa.Table:
    """A number, and a code that may be NULL."""
    fields = [pa.field("No", pa.int32(), nullable=False), pa.field("Code", pa.int32(), nullable=nullable)]
    return pa.table(
        {"No": pa.array(list(given), pa.int32()), "Code": pa.array(list(given.values()), pa.int32())},
        schema=pa.schema(fields),
    )


def fill_codes(house: SandboxWarehouse) -> None:
    load(house, coded({1: 10}, nullable=False), fence=1)
    house.query("CREATE INDEX ix ON sales.Orders (Code DESC) INCLUDE (No)")


@pytest.fixture(scope="module")
def once_coded(home_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    with prepared_warehouse(home_server, tmp_path_factory.mktemp("codes"), fill_codes) as made:
        yield made


@pytest.fixture
def codes(once_coded: Prepared, tmp_path: Path) -> Iterator[SandboxWarehouse]:
    """A table with a code that is never NULL, under an index."""
    with once_coded.copy(tmp_path) as house:
        yield house


def constrained(house: SandboxWarehouse) -> SandboxWarehouse:
    """The same with constraints, for which a server may refuse NULL."""
    house.query("ALTER TABLE sales.Orders ADD CONSTRAINT uq UNIQUE (Code)")
    house.query("ALTER TABLE sales.Orders WITH CHECK ADD CONSTRAINT ck CHECK (Code > 0)")
    return house


def test_an_indexed_column_admits_null_where_the_server_allows_it(codes: SandboxWarehouse) -> None:
    before = objects(codes)
    new = coded({1: None, 2: 20}, nullable=True)
    (note,) = codes.warehouse.inspect({TARGET: TableInspection("p", {}, new.schema, KEYED)})[TARGET].notes
    assert "Code of the warehouse table is to admit NULL; index ix depends on it" in note
    assert note.endswith("(5074): then the load is refused")
    assert load(codes, new, fence=2).method == "switch"
    assert (rows(codes), objects(codes)) == ([(1, None), (2, 20)], before)


def test_a_server_that_refuses_null_refuses_the_load_with_what_depends(codes: SandboxWarehouse) -> None:
    before = objects(constrained(codes))
    with pytest.raises(DriftError) as caught:
        load(codes, coded({1: None}, nullable=True), fence=2)
    assert (
        "Code is NOT NULL, and index ix, unique constraint uq, CHECK constraint ck depend on it" in caught.value.problem
    )
    assert "one or more objects access this column" in caught.value.problem or "is dependent" in caught.value.problem
    assert str(caught.value.remedy).startswith("set destination.changed_types: rebuild")
    assert (rows(codes), objects(codes)) == ([(1, 10)], before)


def test_what_the_server_refuses_null_for_is_made_again_where_the_config_allows_it(codes: SandboxWarehouse) -> None:
    before = objects(constrained(codes))
    house = codes.another(may_rebuild=True)
    new = coded({1: None, 2: 20}, nullable=True)
    (note,) = house.warehouse.inspect({TARGET: TableInspection("p", {}, new.schema, KEYED)})[TARGET].notes
    assert note.endswith("(5074): then dropped and made again")
    assert load(house, new, fence=2).method == "switch"
    assert (rows(house), objects(house)) == ([(1, None), (2, 20)], before)
    assert house.staging() == []


def test_null_is_refused_for_a_foreign_key_whatever_the_config_says(codes: SandboxWarehouse) -> None:
    codes.query("CREATE TABLE dbo.Parent (Code int NOT NULL PRIMARY KEY)")
    codes.query("INSERT INTO dbo.Parent VALUES (10)")
    codes.query("ALTER TABLE sales.Orders WITH CHECK ADD CONSTRAINT fk FOREIGN KEY (Code) REFERENCES dbo.Parent (Code)")
    with pytest.raises(DriftError, match="foreign key fk depend on it") as caught:
        load(codes.another(may_rebuild=True), coded({1: None}, nullable=True), fence=2)
    assert str(caught.value.remedy).startswith("drop what depends on the column")
    assert [row[:2] for row in rows(codes)] == [(1, 10)]
