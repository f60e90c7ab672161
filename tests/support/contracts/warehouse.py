"""What every warehouse does with a load, whatever it is made of. A module that imports this gives the fixture `warehouse`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dltsync_core.clock import utc_now
from dltsync_core.committed import LoadIdentity, Marker, Probe
from dltsync_core.duckdb.partition_scope import scope_for
from dltsync_core.errors import Fenced
from dltsync_core.identity import TableName
from dltsync_core.plan.steps import Disposition, MergeKeys, ReplaceScope, ReplaceTable, UpsertKeys
from dltsync_core.ranges import parse_key
from dltsync_core.testing import int_column
from dltsync_core.warehouse.port import LoadRequest, TableInspection, Warehouse, WarehouseTable

TARGET = ("shop", "Orders")
FIELDS: list[tuple[str, pa.DataType]] = [("No", pa.int32()), ("Note", pa.string())]
Load = Callable[[Sequence[tuple[int, str]], Disposition], None]


def scope(key: str) -> ReplaceScope:
    return scope_for(int_column("No"), pa.int32(), [parse_key(key)])


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
    with warehouse.rows(TARGET, None, pa.schema(FIELDS)) as batches:
        rows = [tuple(row.values()) for batch in batches for row in batch.to_pylist()]
    assert sorted(rows) == [(1, "a"), (2, "changed"), (3, "c")]


def test_a_dropped_table_is_gone(warehouse: Warehouse, load: Load) -> None:
    load([(1, "a")], ReplaceTable())
    warehouse.drop_table(TARGET)
    assert warehouse.columns(TARGET) == {}
    warehouse.drop_table(TARGET)


def test_loads_of_several_tables_come_in_together_or_not_at_all(
    warehouse: Warehouse, load: Load, tmp_path: Path
) -> None:
    load([(1, "old"), (11, "old")], ReplaceTable())
    good = pa.table({"No": [1], "Note": ["new"]}, schema=pa.schema(FIELDS))
    pq.write_table(good, tmp_path / "good.parquet")
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 is not all of it")
    other = ("shop", "Lines")
    requests = [
        LoadRequest(TARGET, (tmp_path / "good.parquet",), good.schema, scope("(-inf,10)"), "good"),
        LoadRequest(other, (tmp_path / "torn.parquet",), good.schema, ReplaceTable(), "torn"),
    ]
    with pytest.raises(Exception, match=r".+"):
        warehouse.load_group(requests)
    assert notes(warehouse, TARGET) == ["old", "old"]
    assert notes(warehouse, other) == []
    loaded = warehouse.load_group([requests[0], replace(requests[0], target=other, disposition=ReplaceTable())])
    assert [one.rows for one in loaded] == [1, 1]
    assert notes(warehouse, TARGET) == ["new", "old"]
    assert notes(warehouse, other) == ["new"]


def test_a_marker_is_stored_with_its_rows_and_a_later_writer_is_respected(
    warehouse: Warehouse, load: Load, tmp_path: Path
) -> None:
    first = pa.table({"No": [1, 2], "Note": ["a", "b"]}, schema=pa.schema(FIELDS))
    pq.write_table(first, tmp_path / "first.parquet")
    asked = LoadRequest(
        TARGET, (tmp_path / "first.parquet",), first.schema, ReplaceTable(), "load-7", marker=marker("load-7", 7)
    )
    warehouse.load(asked)
    assert {unit: (one.load_id, one.fence, one.rows) for unit, one in warehouse.markers(TARGET, "p").items()} == {
        "all": ("load-7", 7, 2)
    }
    assert warehouse.markers(TARGET, "another") == {}
    late = replace(asked, load_id="load-6", marker=marker("load-6", 6))
    load([(3, "c")], MergeKeys(("No",)))
    with pytest.raises(Fenced, match="load-7"):
        warehouse.load(late)
    assert notes(warehouse, TARGET) == ["a", "b", "c"]
    warehouse.load(replace(asked, load_id="load-8", marker=marker("load-8", 8, pipeline="another")))
    assert warehouse.markers(TARGET, "p")["all"].load_id == "load-8", "another pipeline's marker says what is true"
    warehouse.drop_table(TARGET)
    assert warehouse.markers(TARGET, "another") == {}


def marker(load_id: str, fence: int, *, pipeline: str = "p") -> Marker:
    identity = LoadIdentity(pipeline, "s/d", TableName("dbo", "Orders"), "static", "all", load_id, "run", "definition")
    return Marker(identity, fence, 99, Probe("hashbytes_sha256", 2, "it's", None), None, "digest", utc_now())


def notes(warehouse: Warehouse, target: tuple[str, str]) -> list[str]:
    with warehouse.rows(target, None, pa.schema(FIELDS)) as batches:
        return sorted(row["Note"] for batch in batches for row in batch.to_pylist())


def test_a_load_that_is_undone_leaves_the_rows_of_before_or_says_that_it_cannot(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    def asked(number: int) -> LoadRequest:
        table = pa.table({"No": [number], "Note": [f"note {number}"]}, schema=pa.schema(FIELDS))
        pq.write_table(table, tmp_path / f"{number}.parquet")
        return LoadRequest(
            TARGET,
            (tmp_path / f"{number}.parquet",),
            table.schema,
            ReplaceTable(),
            f"load-{number}",
            marker=marker(f"load-{number}", number),
            can_be_undone=True,
        )

    for number in (1, 2):
        loaded = warehouse.load(asked(number))
        warehouse.confirm(TARGET, "p", {"all": f"load-{number}"})
        assert not warehouse.undo(TARGET, "p", {"all": f"load-{number}"}), "a confirmed load stays"
    assert notes(warehouse, TARGET) == ["note 2"]
    loaded = warehouse.load(asked(3))
    assert warehouse.undo(TARGET, "p", {"all": "load-3"}) == loaded.can_be_undone
    stays = 2 if loaded.can_be_undone else 3
    assert notes(warehouse, TARGET) == [f"note {stays}"]
    assert warehouse.markers(TARGET, "p")["all"].load_id == f"load-{stays}"
    loaded = warehouse.load(asked(4))
    warehouse.release(TARGET, "p", {"all": "load-4"})
    warehouse.cleanup()
    assert notes(warehouse, TARGET) == [f"note {stays if loaded.can_be_undone else 4}"]
