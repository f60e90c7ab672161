"""What only Delta tables promise or leave to their users: commits that overtake each other, what readers see, killed attempts."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dltsync_core import checkpoints
from dltsync_core.clock import utc_now
from dltsync_core.errors import ConfigError, DriftError, Fenced, WarehouseBusy, WarehouseError
from dltsync_core.history.versions import VersionColumns
from dltsync_core.plan.steps import MergeKeys
from dltsync_core.warehouse.delta.attempts import remove_left_behind
from dltsync_core.warehouse.delta.snapshot import snapshot_of
from tests.support.any_warehouse import AnyWarehouse, Where, marker
from tests.support.delta_tables import delta_root, deltalake, table_at, unreferenced_files
from tests.support.forks import Forks
from tests.support.local_warehouse import TARGET, orders, slot

LOW, HIGH = "(-inf,10)", "[10,+inf)"


@pytest.fixture
def house(tmp_path: Path) -> AnyWarehouse:
    deltalake()
    return AnyWarehouse(Where("delta", str(tmp_path)))


@contextmanager
def once_at(moment: str, act: Callable[[], None]) -> Iterator[None]:
    """`act` is called when the first load gets to that moment; the loads that it makes itself pass."""
    done: list[str] = []

    def reached(name: str) -> None:
        if name == moment and not done:
            done.append(name)
            act()

    with checkpoints.watched(reached):
        yield
    assert done


def of_other_process(house: AnyWarehouse) -> AnyWarehouse:
    """The same tables by a warehouse of its own, which does not queue with ours."""
    return AnyWarehouse(house.where)


def test_a_paused_writer_that_a_later_one_overtook_is_fenced(house: AnyWarehouse) -> None:
    house.warehouse.load(house.request(TARGET, orders({1: "a"}), marker=marker(fence=6, load_id="load-6")))
    other = of_other_process(house)

    def overtake() -> None:
        other.warehouse.load(other.request(TARGET, orders({1: "c"}), marker=marker(fence=8, load_id="load-8")))

    with (
        once_at(checkpoints.WAREHOUSE_WRITTEN, overtake),
        pytest.raises(Fenced, match="load-8 of another run reached the warehouse"),
    ):
        house.warehouse.load(house.request(TARGET, orders({1: "b"}), marker=marker(fence=7, load_id="load-7")))
    assert house.rows(TARGET) == [(1, "c")]
    assert house.warehouse.markers(TARGET, "p")["all"].load_id == "load-8"
    assert unreferenced_files(house.root) == []


@pytest.mark.parametrize("is_there", [False, True], ids=["new", "there"])
def test_a_commit_of_another_partition_in_between_is_seen_and_both_arrive(house: AnyWarehouse, is_there: bool) -> None:
    if is_there:
        house.load(TARGET, orders({1: "old", 11: "old"}))
    other = of_other_process(house)

    def meanwhile() -> None:
        other.warehouse.load(other.request(TARGET, orders({12: "high"}), how=slot(HIGH), marker=marker(HIGH)))

    with once_at(checkpoints.WAREHOUSE_WRITTEN, meanwhile):
        house.warehouse.load(house.request(TARGET, orders({2: "low"}), how=slot(LOW), marker=marker(LOW)))
    assert house.rows(TARGET) == [(2, "low"), (12, "high")]
    assert {unit: one.rows for unit, one in house.warehouse.markers(TARGET, "p").items()} == {LOW: 1, HIGH: 1}
    assert unreferenced_files(house.root) == []


def test_a_load_of_the_same_rows_in_between_is_replaced_and_no_row_is_there_twice(house: AnyWarehouse) -> None:
    """Without markers: delta-rs itself sees no conflict then, and would keep the rows of both."""
    house.load(TARGET, orders({11: "a"}))
    other = of_other_process(house)

    def meanwhile() -> None:
        other.load(TARGET, orders({1: "b", 2: "b"}), how=slot(LOW))

    with once_at(checkpoints.WAREHOUSE_WRITTEN, meanwhile):
        house.load(TARGET, orders({1: "c"}), how=slot(LOW))
    assert house.rows(TARGET) == [(1, "c"), (11, "a")]


def test_columns_that_another_load_adds_in_between_are_kept(house: AnyWarehouse) -> None:
    house.load(TARGET, orders({1: "a"}))
    other = of_other_process(house)
    wider = orders({2: "b"}).append_column("When", pa.array([datetime(2024, 1, 1)], pa.timestamp("us")))

    def meanwhile() -> None:
        other.load(TARGET, wider, how=MergeKeys(("No",)))

    with once_at(checkpoints.WAREHOUSE_WRITTEN, meanwhile):
        house.load(TARGET, orders({3: "c"}), how=MergeKeys(("No",)))
    assert house.rows(TARGET) == [(1, "a", None), (2, "b", datetime(2024, 1, 1)), (3, "c", None)]


def test_a_commit_whose_answer_was_lost_is_found_and_not_made_twice(
    house: AnyWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when another load has followed meanwhile."""
    house.load(TARGET, orders({1: "a"}))
    package = deltalake()
    commit, other = package.DeltaTable.create_write_transaction, of_other_process(house)

    def lose_answer(table: Any, *arguments: Any, **options: Any) -> None:
        monkeypatch.undo()
        commit(table, *arguments, **options)
        other.load(TARGET, orders({12: "theirs"}), how=slot(HIGH))
        raise package.exceptions.DeltaError("connection reset")

    monkeypatch.setattr(package.DeltaTable, "create_write_transaction", lose_answer)
    house.warehouse.load(house.request(TARGET, orders({2: "b"}), how=slot(LOW), marker=marker(LOW)))
    assert house.rows(TARGET) == [(2, "b"), (12, "theirs")]
    assert house.warehouse.markers(TARGET, "p")[LOW].rows == 1
    assert table_at(house.root, TARGET).version() == 2
    assert unreferenced_files(house.root) == []


def test_a_load_that_others_always_overtake_gives_up_as_busy_and_changes_nothing(tmp_path: Path) -> None:
    house = AnyWarehouse(Where("delta", str(tmp_path)), lock_timeout_seconds=0.01)
    house.load(TARGET, orders({1: "a"}))
    other = of_other_process(house)
    ours = threading.current_thread()
    busy = threading.Event()

    def reached(name: str) -> None:
        if name == checkpoints.WAREHOUSE_WRITTEN and not busy.is_set() and threading.current_thread() is ours:
            busy.set()
            try:
                other.load(TARGET, orders({12: "theirs"}), how=slot(HIGH))
            finally:
                busy.clear()

    with checkpoints.watched(reached), pytest.raises(WarehouseBusy, match="other loads commit to it"):
        house.load(TARGET, orders({2: "b"}), how=slot(LOW))
    assert house.rows(TARGET) == [(1, "a"), (12, "theirs")]
    assert unreferenced_files(house.root) == []


def load_partition(work: dict[str, Any]) -> None:
    """The work of a process: a partition, again and again."""
    house = AnyWarehouse(Where(**work["where"]))
    first = work["number"] * 10
    unit = f"[{first},{first + 10})"
    for turn in range(work["turns"]):
        request = house.request(TARGET, orders({first: f"{turn}", first + 1: "b"}), how=slot(unit), marker=marker(unit))
        house.warehouse.load(request)


@pytest.mark.xdist_group("forks")
def test_processes_load_partitions_of_one_table_at_the_same_time_and_all_arrive(
    house: AnyWarehouse, forks: Forks
) -> None:
    payloads = [{"where": asdict(house.where), "number": number, "turns": 3} for number in range(3)]
    for ended in forks.run_all(f"{__name__}:load_partition", payloads):
        assert ended.status == 0, ended.stderr
    assert house.rows(TARGET) == [(first + more, ["2", "b"][more]) for first in (0, 10, 20) for more in (0, 1)]
    assert set(house.warehouse.markers(TARGET, "p")) == {"[0,10)", "[10,20)", "[20,30)"}
    assert unreferenced_files(house.root) == []


def test_markers_outlive_the_log_that_wrote_them(house: AnyWarehouse) -> None:
    """Delta removes old parts of its log once a checkpoint has what counts of them."""
    stored = marker()
    house.warehouse.load(house.request(TARGET, orders({1: "a"}), marker=stored))
    house.load(TARGET, orders({1: "b"}))
    table = table_at(house.root, TARGET)
    table.create_checkpoint()
    first, last = sorted(delta_root(house.root).glob("*/*/_delta_log/*.json"))
    first.unlink()
    assert "txn" not in last.read_text(encoding="utf-8")
    assert house.warehouse.markers(TARGET, "p")["all"].load_id == stored.load_id
    with pytest.raises(Fenced):
        house.warehouse.load(house.request(TARGET, orders({}), marker=marker(fence=6)))
    house.warehouse.load(house.request(TARGET, orders({2: "b"}), marker=marker(fence=8)))
    assert house.rows(TARGET) == [(2, "b")]
    assert len(list(delta_root(house.root).glob("*/*/_dltsync/markers/*"))) <= 2


def test_delta_rs_polars_and_duckdb_see_the_columns_of_the_source_and_nothing_else(house: AnyWarehouse) -> None:
    polars = pytest.importorskip("polars")
    house.warehouse.load(house.request(TARGET, orders({1: "a", 2: None}), marker=marker()))
    table = table_at(house.root, TARGET)
    assert table.metadata().configuration == {}
    assert table.protocol().min_reader_version == 1  # nothing asks more of readers than the columns do
    assert polars.read_delta(str(delta_root(house.root) / "sales" / "Orders")).rows() == [(1, "a"), (2, None)]
    assert table.vacuum(dry_run=True, retention_hours=0, enforce_retention_duration=False, full=True) == []


def test_files_that_cannot_have_rows_of_the_load_are_left_as_they_are(house: AnyWarehouse) -> None:
    for first in (0, 10, 20):
        house.load(TARGET, orders({first: "a", first + 9: "a"}), how=slot(f"[{first},{first + 10})"))
    before = set(table_at(house.root, TARGET).file_uris())
    house.load(TARGET, orders({10: "b"}), how=slot("[10,20)"))
    house.load(TARGET, orders({29: "b", 30: "b"}), how=MergeKeys(("No",)))
    after = set(table_at(house.root, TARGET).file_uris())
    assert len(before & after) == 1
    assert house.rows(TARGET) == [(0, "a"), (9, "a"), (10, "b"), (20, "a"), (29, "b"), (30, "b")]


def test_wider_types_and_columns_without_null_are_refused_and_narrower_ones_enter(house: AnyWarehouse) -> None:
    def numbers(kind: pa.DataType) -> pa.Table:
        return pa.table({"No": pa.array([1], pa.int32()), "N": pa.array([5], pa.int64()).cast(kind)})

    house.load(TARGET, numbers(pa.int32()))
    with pytest.raises(DriftError, match="N is INTEGER in the warehouse and needs BIGINT"):
        house.load(TARGET, numbers(pa.int64()))
    house.load(TARGET, numbers(pa.int16()))
    assert house.warehouse.columns(TARGET) == {"No": "integer", "N": "integer"}
    decimals = pa.table({"D": pa.array([Decimal("1.5")], pa.decimal128(9, 2))})
    house.load(("sales", "Decimals"), decimals)
    assert house.warehouse.columns(("sales", "Decimals")) == {"D": "decimal(9,2)"}
    assert house.rows(TARGET) == [(1, 5)]


def test_tables_of_other_programs_with_features_that_change_their_rows_are_refused(house: AnyWarehouse) -> None:
    where = delta_root(house.root) / "sales"
    where.mkdir(parents=True)
    deltalake().write_deltalake(str(where / "Parts"), orders({1: "a"}), partition_by=["No"])
    with pytest.raises(WarehouseError, match="partitioned by No"):
        house.load(("sales", "Parts"), orders({1: "b"}))
    deltalake().write_deltalake(str(where / "Checked"), orders({1: "a"}))
    deltalake().DeltaTable(str(where / "Checked")).alter.add_constraint({"positive": "No > 0"})
    with pytest.raises(WarehouseError, match=r"positive|checkConstraints"):
        house.warehouse.count(("sales", "Checked"))


def test_tables_that_another_program_wrote_or_compacted_are_loaded_like_ours(house: AnyWarehouse) -> None:
    where = delta_root(house.root) / "sales"
    where.mkdir(parents=True)
    deltalake().write_deltalake(str(where / "Orders"), orders({1: "theirs", 12: "theirs", 9: "gone", 14: "gone"}))
    house.load(TARGET, orders({9: None}), how=MergeKeys(("No",)))
    deltalake().DeltaTable(str(where / "Orders")).delete("No in (9, 14)")
    house.load(TARGET, orders({13: "ours"}), how=slot(HIGH))
    fields: list[pa.Field[Any]] = [pa.field("No", pa.int32()), pa.field("Note", pa.string())]
    nullable = pa.schema(fields)
    with pytest.raises(DriftError, match="No does not admit NULL in the warehouse"):
        house.load(TARGET, orders({13: "ours"}).cast(nullable))
    assert house.rows(TARGET) == [(1, "theirs"), (13, "ours")]
    table_at(house.root, TARGET).optimize.compact()
    house.load(TARGET, orders({2: "ours"}), how=slot(LOW))
    assert house.rows(TARGET) == [(2, "ours"), (13, "ours")]


def test_an_attempt_of_another_machine_is_removed_after_a_week_and_never_a_file_of_the_table(
    house: AnyWarehouse,
) -> None:
    house.load(TARGET, orders({1: "a"}))
    directory = delta_root(house.root) / "sales" / "Orders"
    (live,) = (path.name for path in directory.glob("*.parquet"))
    notes = directory / "_dltsync" / "attempts"
    for attempt in ("elsewhere", live.split("-")[2].split(".")[0]):
        said = {"process": "other-machine|boot|ns|1|1|x", "started": utc_now().isoformat()}
        (notes / f"{attempt}.json").write_text(json.dumps(said), encoding="utf-8")
    (directory / "part-00001-elsewhere.zstd.parquet").write_bytes(b"torn")

    def clean(after: timedelta) -> list[str]:
        opened = house.warehouse._store.directory(TARGET)  # type: ignore[attr-defined]
        remove_left_behind(opened, snapshot_of(TARGET, opened), now=utc_now() + after)
        return sorted(path.name for path in directory.glob("*.parquet"))

    assert clean(timedelta(days=6)) == sorted([live, "part-00001-elsewhere.zstd.parquet"])
    assert clean(timedelta(days=8)) == [live]
    assert unreferenced_files(house.root) == []
    assert house.rows(TARGET) == [(1, "a")]


def test_a_seventh_digit_is_declared_and_found_before_anything_is_visible(house: AnyWarehouse) -> None:
    nanos = pa.table({"No": pa.array([1, 2], pa.int32()), "At": pa.array([1000, 1100], pa.timestamp("ns"))})
    assert "seventh digit" in house.warehouse.declared(nanos.schema)["At"]
    found = house.warehouse.first_misfit(TARGET, nanos.schema, [house.file(nanos)], ["No"], threading.Lock())
    assert found is not None
    assert (found.column, found.row.column("No").to_pylist()) == ("At", [2])


@pytest.mark.parametrize("name", ["a b", "ü#x", "q'u?ote", "per%20cent"])
def test_tables_lie_below_a_directory_of_any_name_or_it_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    house = AnyWarehouse(Where("delta", str(tmp_path / name)))
    if "%" in name:
        with pytest.raises(ConfigError, match="holds a `%`"):
            house.load(TARGET, orders({1: "a"}))
        return
    for rows in ({1: "a"}, {2: "b"}):
        house.load(TARGET, orders(rows), how=slot(LOW))
    assert house.rows(TARGET) == [(2, "b")]
    assert (delta_root(house.root) / "sales" / "Orders" / "_delta_log").is_dir()


def test_a_missing_package_is_named_with_what_installs_it(house: AnyWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "deltalake", None)
    with pytest.raises(ConfigError, match=r"pip install 'dltsync\[delta\]'"):
        house.load(TARGET, orders({1: "a"}))


def test_histories_are_not_checked_and_an_error_says_so(house: AnyWarehouse) -> None:
    columns = VersionColumns(("No",), "From", "To", "Latest")
    with pytest.raises(WarehouseError, match="in a DuckDB file only"):
        house.warehouse.revise_versions(TARGET, columns, lambda versions: pytest.fail("asked"), apply=False)


def test_rows_of_a_scope_come_in_batches_and_from_one_version(house: AnyWarehouse) -> None:
    days = pa.table({"No": pa.array(range(200_000), pa.int32()), "Day": pa.array([date(2024, 1, 1)] * 200_000)})
    house.load(TARGET, days)
    with house.warehouse.rows(TARGET, slot("[10,+inf)"), days.schema) as batches:
        first = next(batches)
        of_other_process(house).load(TARGET, days.slice(0, 1))
        rest = sum(batch.num_rows for batch in batches)
    assert first.num_rows < 199_990
    assert first.num_rows + rest == 199_990
    assert house.warehouse.count(TARGET) == 1
