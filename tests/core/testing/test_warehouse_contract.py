"""What stands in for the warehouse keeps the same contract as the warehouse itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dltsync_core.duckdb.partition_scope import scope_for
from dltsync_core.plan.steps import Disposition, MergeKeys, ReplaceScope, ReplaceTable, UpsertKeys
from dltsync_core.ranges import parse_key
from dltsync_core.testing import FakeWarehouse, int_column
from dltsync_core.warehouse.duckdb.warehouse import DuckDbWarehouse
from dltsync_core.warehouse.port import LoadRequest, TableInspection, Warehouse, WarehouseTable

TARGET = ("shop", "Orders")
FIELDS: list[tuple[str, pa.DataType]] = [("No", pa.int32()), ("Note", pa.string())]
Load = Callable[[Sequence[tuple[int, str]], Disposition], None]


def scope(key: str) -> Disposition:
    return scope_for(int_column("No"), pa.int32(), [parse_key(key)])


@pytest.fixture(params=["stand-in", "duckdb"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    if request.param == "stand-in":
        return FakeWarehouse()
    real: Warehouse = DuckDbWarehouse(tmp_path / "w.duckdb", work_directory=tmp_path / "work")
    return real


@pytest.fixture
def load(warehouse: Warehouse, tmp_path: Path) -> Load:
    count = iter(range(100))

    def bring(rows: Sequence[tuple[int, str]], how: Disposition) -> None:
        number = next(count)
        path = tmp_path / f"{number}.parquet"
        table = pa.table({"No": [r[0] for r in rows], "Note": [r[1] for r in rows]}, schema=pa.schema(FIELDS))
        pq.write_table(table, path)
        loaded = warehouse.load(LoadRequest(TARGET, (path,), pa.schema(FIELDS), how, f"load-{number}"))
        assert loaded.rows == len(rows)

    return bring


def inspect(warehouse: Warehouse, scopes: Mapping[str, ReplaceScope | None]) -> WarehouseTable:
    return warehouse.inspect({TARGET: TableInspection("p", scopes, pa.schema(FIELDS))})[TARGET]


def test_nothing_is_there_before_the_first_load(warehouse: Warehouse) -> None:
    assert warehouse.count(TARGET) == 0
    assert warehouse.columns(TARGET) == {}
    assert inspect(warehouse, {"all": None}) == WarehouseTable({}, {"all": 0}, {})


def test_a_scope_replaces_its_rows_only_and_twice_changes_nothing(warehouse: Warehouse, load: Load) -> None:
    load([(1, "a"), (2, "b")], scope("(-inf,10)"))
    load([(10, "c"), (15, "d")], scope("[10,+inf)"))
    for _ in range(2):
        load([(11, "e")], scope("[10,+inf)"))
    scopes = {key: scope_for(int_column("No"), pa.int32(), [parse_key(key)]) for key in ("(-inf,10)", "[10,+inf)")}
    found = inspect(warehouse, scopes)
    assert found.counts == {"(-inf,10)": 2, "[10,+inf)": 1}
    assert (list(found.columns), found.markers, found.refusal) == (["No", "Note"], {}, None)
    assert warehouse.count(TARGET) == 3


def test_an_empty_load_empties_its_scope(warehouse: Warehouse, load: Load) -> None:
    load([(1, "a"), (12, "b")], ReplaceTable())
    load([], scope("[10,+inf)"))
    assert warehouse.count(TARGET) == 1


def test_a_table_is_replaced_whole(warehouse: Warehouse, load: Load) -> None:
    load([(1, "a"), (2, "b")], ReplaceTable())
    load([(3, "c")], ReplaceTable())
    assert warehouse.count(TARGET) == 1


@pytest.mark.parametrize("how", [MergeKeys(("No",)), UpsertKeys(("No",))])
def test_keys_replace_their_rows_and_others_stay(warehouse: Warehouse, load: Load, how: Disposition) -> None:
    load([(1, "a"), (2, "b")], how)
    for _ in range(2):
        load([(2, "changed"), (3, "c")], how)
    with warehouse.rows(TARGET, None, ["No", "Note"]) as batches:
        rows = [tuple(row.values()) for batch in batches for row in batch.to_pylist()]
    assert sorted(rows) == [(1, "a"), (2, "changed"), (3, "c")]


def test_a_dropped_table_is_gone(warehouse: Warehouse, load: Load) -> None:
    load([(1, "a")], ReplaceTable())
    warehouse.drop_table(TARGET)
    assert warehouse.columns(TARGET) == {}
    warehouse.drop_table(TARGET)
