"""`changed_types: rebuild`: a partitioned target whose types have to be wider is made anew with its rows, partitions, keys,
indexes and constraints, or stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dltsync_core.errors import DriftError, SyncError, WarehouseError
from dltsync_core.identity import Target
from dltsync_core.typemap.mapping import SQL_TYPE_KEY
from dltsync_core.warehouse.port import LoadRequest, TableInspection
from sqlserver_sandbox.faults.plan import Drop, Fault, Where
from tests.services.warehouse.sqlserver.loads import PARTED, TARGET, UNITS, loaded_by, part, request, rows
from tests.support.fault_control import FaultControl
from tests.support.sandbox_server import SandboxServer
from tests.support.server_shop import Server
from tests.support.sqlserver_warehouse import Prepared, SandboxWarehouse, prepared_warehouse

OTHER: Target = ("sales", "Refunds")
NARROW = ("int", "decimal(9,2)", "nvarchar(5)", "datetime2(3)")
WIDE = ("bigint", "decimal(12,4)", "nvarchar(50)", "datetime2(6)")
NAMES = ("No", "Count", "Price", "Note", "At")
OLD: list[tuple[Any, ...]] = [(number, 2**31 - 1, "1234567.89", "äöü€!", 1_001_000) for number in (1, 11, 21)]
NEW: tuple[Any, ...] = (2, 2**40, "12345678.1234", "x" * 50, 1_000_001)
MOST = 200


def table(types: tuple[str, ...], *values: tuple[Any, ...]) -> pa.Table:
    count, price, note, at = types
    digits, scale = price[8:-1].split(",")
    kinds = (pa.int64() if count == "bigint" else pa.int32(), pa.decimal128(int(digits), int(scale)), pa.string())
    fields = [pa.field("No", pa.int32(), nullable=False)] + [
        pa.field(name, kind, metadata={SQL_TYPE_KEY: declared.encode()})
        for name, kind, declared in zip(NAMES[1:], (*kinds, pa.timestamp("us")), (count, price, note, at), strict=True)
    ]
    columns = [list(column) for column in zip(*values, strict=True)]
    columns[2] = [Decimal(text) for text in columns[2]]
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, fields, strict=True)], schema=pa.schema(fields))


def first_loads(house: SandboxWarehouse, target: Target) -> list[LoadRequest]:
    return [
        request(house, table(NARROW, row), part(unit), target=target, layout=PARTED, unit=unit)
        for row, unit in zip(OLD, UNITS, strict=True)
    ]


def wider(house: SandboxWarehouse, target: Target = TARGET, fence: int = 2) -> LoadRequest:
    return request(house, table(WIDE, NEW), part(UNITS[0]), target=target, layout=PARTED, unit=UNITS[0], fence=fence)


def values(house: SandboxWarehouse, target: Target = TARGET) -> list[tuple[Any, ...]]:
    """As a reader gets them: moments in whole microseconds."""
    return [
        (*row[:2], str(row[2].normalize()), row[3], row[4].microsecond + row[4].second * 10**6)
        for row in rows(house, target)
    ]


def belongings(house: SandboxWarehouse, target: Target = TARGET) -> list[tuple[Any, ...]]:
    """Indexes and constraints by their names, and how the table is partitioned."""
    name = f"{target[0]}.{target[1]}"
    return [
        *house.query(
            "SELECT i.name, i.type_desc, i.is_unique, i.is_primary_key, c.name, ic.key_ordinal, ic.is_descending_key, "
            "ic.is_included_column, d.name FROM sys.indexes AS i JOIN sys.data_spaces AS d ON d.data_space_id = i.data_space_id "
            "JOIN sys.index_columns AS ic ON ic.object_id = i.object_id AND ic.index_id = i.index_id JOIN sys.columns AS c "
            "ON c.object_id = ic.object_id AND c.column_id = ic.column_id WHERE i.object_id = OBJECT_ID(?) "
            "ORDER BY i.name, ic.is_included_column, ic.key_ordinal, c.name",
            name,
        ),
        *house.query(
            "SELECT name, is_not_trusted, definition FROM sys.check_constraints WHERE parent_object_id = OBJECT_ID(?)",
            name,
        ),
        *house.query("SELECT name FROM sys.foreign_keys WHERE parent_object_id = OBJECT_ID(?)", name),
        *house.query(
            "SELECT p.index_id, p.partition_number, p.rows FROM sys.partitions AS p WHERE p.object_id = OBJECT_ID(?) "
            "ORDER BY 1, 2",
            name,
        ),
    ]


def extended(house: SandboxWarehouse) -> None:
    """What the targets have that dltsync did not make."""
    house.query("CREATE TABLE dbo.Numbers (No int NOT NULL CONSTRAINT pk_numbers PRIMARY KEY)")
    house.query("INSERT INTO dbo.Numbers VALUES (1), (2), (11), (21)")
    house.query("CREATE INDEX by_note ON sales.Orders (Note DESC, Count) INCLUDE (Price)")
    house.query("CREATE UNIQUE INDEX by_count ON sales.Orders (Count, No) WITH (DATA_COMPRESSION = PAGE)")
    house.query("ALTER TABLE sales.Orders WITH CHECK ADD CONSTRAINT positive CHECK (Count > 0)")
    house.query("ALTER TABLE sales.Orders WITH CHECK ADD CONSTRAINT fk FOREIGN KEY (No) REFERENCES dbo.Numbers (No)")


def fill(house: SandboxWarehouse) -> None:
    house.warehouse.load_group([*first_loads(house, TARGET), *first_loads(house, OTHER)])
    extended(house)


@pytest.fixture(scope="module")
def once_loaded(home_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    with prepared_warehouse(home_server, tmp_path_factory.mktemp("loaded"), fill) as made:
        yield made


@pytest.fixture
def loaded(once_loaded: Prepared, tmp_path: Path) -> Iterator[SandboxWarehouse]:
    """Two targets with rows in each of three partitions, in a warehouse that may make them anew."""
    with once_loaded.copy(tmp_path) as house:
        yield house.another(may_rebuild=True)


def test_tables_are_made_anew_with_their_rows_and_all_that_belongs_to_them(loaded: SandboxWarehouse) -> None:
    was, markers = belongings(loaded), loaded_by(loaded)
    inspected = loaded.warehouse.inspect({TARGET: TableInspection("p", {}, wider(loaded).schema)})[TARGET]
    assert inspected.refusal is None
    assert [
        note for note in inspected.notes if "made anew, with its rows, for other types: Count bigint, Price" in note
    ]
    group = [wider(loaded), wider(loaded, OTHER)]
    assert [one.method for one in loaded.warehouse.load_group(group)] == ["switch", "switch"]
    for target in (TARGET, OTHER):
        assert list(loaded.warehouse.columns(target).values()) == ["int", *WIDE]
        assert values(loaded, target) == [(2, 2**40, "12345678.1234", "x" * 50, 1_000_001), *OLD[1:]]
    assert belongings(loaded) == was
    assert loaded_by(loaded) == {**markers, UNITS[0]: group[0].load_id}
    assert loaded.staging() == []
    again = loaded.warehouse.inspect({TARGET: TableInspection("p", {}, wider(loaded).schema)})[TARGET]
    assert (again.refusal, again.notes) == (None, ())


def test_columnstore_tables_and_new_columns_are_handled_too(house: SandboxWarehouse) -> None:
    mine = house.another(columnstore=True, may_rebuild=True)
    mine.warehouse.load_group(first_loads(mine, TARGET))
    wide = table(WIDE, NEW).append_column("Added", pa.array([7], pa.int32()))
    load = request(mine, wide, part(UNITS[0]), layout=PARTED, unit=UNITS[0], fence=2)
    done = mine.warehouse.load(load)
    assert "".join(done.reasons) == ""
    assert [(row[0], row[-1]) for row in rows(mine)] == [(2, 7), (11, None), (21, None)]
    kinds = house.query("SELECT type_desc FROM sys.indexes WHERE object_id = OBJECT_ID(N'sales.Orders')")
    assert kinds == [("CLUSTERED COLUMNSTORE",)]


def test_a_wider_type_is_refused_unless_the_config_allows_it_and_the_refusal_names_the_setting(
    loaded: SandboxWarehouse,
) -> None:
    careful = loaded.another()
    with pytest.raises(DriftError, match="cannot be changed on a partitioned table") as caught:
        careful.warehouse.load(wider(careful))
    assert "destination.changed_types: rebuild" in caught.value.remedy
    assert values(loaded) == OLD


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("ALTER TABLE sales.Orders ADD More int NULL CONSTRAINT df DEFAULT 0", "would not have default constraint df"),
        ("GRANT SELECT ON OBJECT::sales.Orders TO public", "would not have permission SELECT"),
        ("ALTER TABLE sales.Orders NOCHECK CONSTRAINT positive", "CHECK constraint positive is disabled"),
        ("ALTER INDEX by_note ON sales.Orders DISABLE", "index by_note is disabled"),
        ("CREATE INDEX lone ON sales.Orders (Price) ON [PRIMARY]", "index lone is not partitioned as the table is"),
    ],
)
def test_a_table_with_something_that_would_be_lost_is_refused_and_stays(
    loaded: SandboxWarehouse, statement: str, said: str
) -> None:
    loaded.query(statement)
    was = belongings(loaded)
    with pytest.raises(DriftError, match=said):
        loaded.warehouse.load(wider(loaded))
    assert values(loaded) == OLD, "the first columns are as they were"
    assert belongings(loaded) == was
    assert loaded.staging() == []


def test_types_that_would_lose_something_and_that_of_the_partition_column_are_refused(loaded: SandboxWarehouse) -> None:
    fits = (1, 1, "1.5", "a", 1_000_000)
    narrower = request(loaded, table(("int", "decimal(9,4)", "nvarchar(5)", "datetime2(3)"), fits), part(UNITS[0]))
    with pytest.raises(DriftError, match=r"Price is decimal\(9,2\) in the warehouse and decimal\(9,4\) in the load"):
        loaded.warehouse.load(narrower)
    by_long = table(NARROW, OLD[0]).set_column(0, pa.field("No", pa.int64(), nullable=False), pa.array([1], pa.int64()))
    with pytest.raises(DriftError, match="has the old type of its column"):
        loaded.warehouse.load(request(loaded, by_long, part(UNITS[0])))
    assert values(loaded) == OLD


def fill_one(house: SandboxWarehouse) -> None:
    house.warehouse.load_group(first_loads(house, TARGET))
    extended(house)


@pytest.mark.survives(
    "warehouse",
    "the connection to a SQL Server warehouse breaks before each statement of the transaction that makes a table anew",
    "the transaction is sent again, or found committed",
    "the old table with all its rows, or the new one; keys, indexes and constraints as before; nothing is left in staging",
)
@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(r"DROP TABLE \[sales\]", id="putting the new table in place", marks=pytest.mark.slow),
        pytest.param(None, id="every statement of the load", marks=pytest.mark.exhaustive),
    ],
)
@pytest.mark.timeout(1800)
def test_a_connection_that_breaks_at_any_statement_costs_nothing(
    faulty_sandbox: SandboxServer, faults: FaultControl, tmp_path: Path, pattern: str | None
) -> None:
    problems: list[str] = []
    with prepared_warehouse(faulty_sandbox, tmp_path, fill_one) as before:
        was = belongings(before.original)
        for number in range(MOST):
            with before.copy(tmp_path, may_rebuild=True, pause=lambda seconds: None) as house:
                faults.plan(Fault(Drop(), Where(database=house.database, pattern=pattern, skip=number)))
                failed = False
                try:
                    house.warehouse.load(wider(house))
                except SyncError as error:
                    failed = isinstance(error, WarehouseError)
                met = [one.at[:60] for one in faults.happened()]
                faults.clear()
                seen = values(house)
                if seen not in (OLD, [NEW, *OLD[1:]]):
                    problems.append(f"statement {number} ({met}): neither old nor new: {seen}")
                if failed or seen == OLD:
                    house.warehouse.load(wider(house, fence=3))
                house.warehouse.cleanup()  # as every run does at its end: the fault may have met the load's own
                if values(house) != [NEW, *OLD[1:]] or belongings(house) != was or house.staging():
                    problems.append(
                        f"statement {number} ({met}): {values(house)}, {belongings(house)}, {house.staging()}"
                    )
                if not met:
                    break
    assert number > 10, "the faults were not met"
    assert not problems, "\n".join(problems)
