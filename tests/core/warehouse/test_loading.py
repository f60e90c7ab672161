"""Loads are whole, can be repeated, and leave nothing but the table."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pyarrow as pa
import pytest

from dltsync_core import checkpoints
from dltsync_core.catalog.facts import ColumnFacts
from dltsync_core.errors import (
    ConfigError,
    DriftError,
    UnsupportedColumn,
    ValidationFailed,
    WarehouseError,
)
from dltsync_core.ranges import parse_key
from dltsync_core.warehouse import dlt_warehouse
from dltsync_core.warehouse.dlt_load import load_with_dlt
from dltsync_core.warehouse.port import Disposition, MergeKeys, ReplaceScope, ReplaceTable, UpsertKeys
from dltsync_core.warehouse.scope import scope_for
from tests.core.warehouse.warehouse_files import House, orders

TARGET = ("sales", "Orders")
NUMBER = ColumnFacts("No", 1, "int", 4, 10, 0, None, is_nullable=False)


def slot(key: str) -> ReplaceScope:
    return scope_for(NUMBER, pa.int32(), [parse_key(key)])


def rows(house: House, target: tuple[str, str] = TARGET) -> list[tuple[Any, ...]]:
    schema, table = target
    return house.query(f'SELECT * FROM "{schema}"."{table}" ORDER BY 1')


def test_no_column_of_dlts_reaches_the_users_table(house: House) -> None:
    house.load(TARGET, orders({1: "a"}))
    assert house.types(TARGET) == {"No": "INTEGER", "Note": "VARCHAR"}


def test_files_of_one_load_come_in_together(house: House) -> None:
    loaded = house.load(TARGET, orders({1: "a"}), orders({2: "b", 3: None}))
    assert loaded.rows == 3
    assert rows(house) == [(1, "a"), (2, "b"), (3, None)]


DISPOSITIONS: list[Disposition] = [ReplaceTable(), MergeKeys(("No",)), UpsertKeys(("No",)), slot("[-inf,+inf)")]


@pytest.mark.parametrize("how", DISPOSITIONS, ids=lambda how: type(how).__name__)
def test_an_empty_load_makes_an_empty_table(house: House, how: Disposition) -> None:
    house.load(TARGET, orders({}), how=how)
    assert rows(house) == []
    assert house.types(TARGET) == {"No": "INTEGER", "Note": "VARCHAR"}


@pytest.mark.parametrize("how", DISPOSITIONS, ids=lambda how: type(how).__name__)
def test_a_load_that_fails_on_the_way_changes_nothing_and_the_next_one_works(
    house: House, how: Disposition, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dlt leaves a failed package behind, which would swallow the next load in its directory."""
    house.load(TARGET, orders({1: "a"}), how=how)
    broken = house.request(TARGET, orders({1: "b", 2: "b"}), how=how)

    def torn(connection: Any, request: Any, place: Any) -> None:
        request.files[0].write_bytes(b"PAR1 and then nothing PAR1")
        load_with_dlt(connection, request, place)

    with monkeypatch.context() as patch:
        patch.setattr("dltsync_core.warehouse.dlt_load.pq.read_metadata", lambda path: orders({}))
        patch.setattr(dlt_warehouse, "load_with_dlt", torn)
        with pytest.raises(WarehouseError):
            house.warehouse.load(broken)
    assert rows(house) == [(1, "a")]
    house.load(TARGET, orders({1: "c", 3: "c"}), how=how)
    assert rows(house) == [(1, "c"), (3, "c")]
    assert leftovers(house) == []


def leftovers(house: House) -> list[str]:
    """Working files and staging schemas."""
    files = [str(path) for path in house.work.glob("*")] if house.work.exists() else []
    schemas = house.query("SELECT schema_name FROM duckdb_schemas() WHERE NOT internal AND schema_name LIKE '%stag%'")
    return files + [schema for (schema,) in schemas]


KILLED = """
import sys, os, signal
from pathlib import Path
from dltsync_core import checkpoints
from tests.core.warehouse.warehouse_files import House, orders
from tests.core.warehouse.test_loading import TARGET, DISPOSITIONS
house = House(Path(sys.argv[1]))
def die(moment):
    if moment == sys.argv[3]:
        os.kill(os.getpid(), signal.SIGKILL)
with checkpoints.watched(die):
    house.load(TARGET, orders({1: "b", 2: "b"}), how=DISPOSITIONS[int(sys.argv[2])])
"""


@pytest.mark.parametrize("moment", [checkpoints.WAREHOUSE_WRITTEN, checkpoints.WAREHOUSE_COMMITTED])
@pytest.mark.parametrize("number", range(len(DISPOSITIONS)), ids=[type(how).__name__ for how in DISPOSITIONS])
def test_a_load_killed_before_or_after_its_commit_is_right_when_repeated(
    house: House, number: int, moment: str
) -> None:
    house.load(TARGET, orders({1: "a"}), how=DISPOSITIONS[number])
    ended = subprocess.run([sys.executable, "-c", KILLED, str(house.root), str(number), moment], check=False)
    assert ended.returncode == -9
    is_committed = moment == checkpoints.WAREHOUSE_COMMITTED
    assert rows(house) == ([(1, "b"), (2, "b")] if is_committed else [(1, "a")])
    house.load(TARGET, orders({1: "b", 2: "b"}), how=DISPOSITIONS[number])
    assert rows(house) == [(1, "b"), (2, "b")]
    assert leftovers(house) == []


def kill_after_its_commit(house: House) -> None:
    arguments = [str(house.root), "0", checkpoints.WAREHOUSE_COMMITTED]
    assert subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False).returncode == -9
    assert leftovers(house) != []


def test_what_a_killed_load_left_goes_without_another_load(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.load(TARGET, orders({1: "a"}))
    kill_after_its_commit(house)
    house.warehouse.tidy()
    assert leftovers(house) == []
    assert rows(house) == [(1, "b"), (2, "b")]
    kill_after_its_commit(house)
    house.path.unlink()
    house.warehouse.tidy()
    assert list(house.work.glob("*")) == []


def test_tidying_neither_touches_a_load_at_work_nor_waits_for_it(tmp_path: Path) -> None:
    house = House(tmp_path, lock_timeout_seconds=0.5)
    seen: list[int] = []

    def meanwhile(moment: str) -> None:
        if moment == checkpoints.WAREHOUSE_WRITTEN:
            house.warehouse.tidy()  # would raise WarehouseBusy if it queued
            seen.append(len(list(house.work.glob("*"))))

    with checkpoints.watched(meanwhile):
        house.load(TARGET, orders({1: "a"}))
    assert seen == [1]
    assert rows(house) == [(1, "a")]


@pytest.mark.parametrize("how", [MergeKeys(("No", "Note")), UpsertKeys(("No", "Note"))])
def test_keys_that_look_alike_when_joined_are_told_apart(house: House, how: Disposition) -> None:
    """dlt joins the parts of a merge_key without a separator: 1 and '1x' would be 11 and 'x'."""
    house.load(TARGET, orders({1: "1x", 11: "x"}), how=how)
    house.load(TARGET, orders({11: "x"}), how=how)
    assert rows(house) == [(1, "1x"), (11, "x")]


@pytest.mark.parametrize("how", [MergeKeys(("Note",)), UpsertKeys(("Note",))])
def test_null_and_repeated_keys_are_refused_before_anything_is_written(house: House, how: Disposition) -> None:
    with pytest.raises(ValidationFailed, match="1 rows have NULL in their key"):
        house.load(TARGET, orders({1: None}), how=how)
    with pytest.raises(ValidationFailed, match="1 rows repeat the key"):
        house.load(TARGET, orders({1: "a", 2: "a"}), how=how)
    assert not house.path.exists()


def test_a_new_column_is_added_and_old_rows_keep_null(house: House) -> None:
    house.load(TARGET, orders({1: "a", 20: "b"}))
    wider = orders({20: "c"}).append_column(
        pa.field("Amount", pa.decimal128(19, 4), nullable=False), pa.array(["1.5"]).cast(pa.decimal128(19, 4))
    )
    house.load(TARGET, wider, how=slot("[10,+inf)"))
    assert [(no, note, amount and str(amount)) for no, note, amount in rows(house)] == [
        (1, "a", None),
        (20, "c", "1.5000"),
    ]


def test_a_column_that_left_the_source_stays_and_is_null_from_then_on(house: House) -> None:
    both = orders({1: "a"}).append_column(pa.field("Gone", pa.int32(), nullable=False), pa.array([7], pa.int32()))
    house.load(TARGET, both, how=slot("[-inf,10)"))
    house.load(TARGET, orders({20: "b"}), how=slot("[10,+inf)"))
    assert rows(house) == [(1, "a", 7), (20, "b", None)]


def test_a_column_that_begins_to_admit_null_is_let(house: House) -> None:
    house.load(TARGET, orders({1: "a"}))
    table = pa.table({"No": pa.array([None], pa.int32()), "Note": pa.array(["b"])})
    house.load(TARGET, table)
    assert rows(house) == [(None, "b")]


def test_a_column_that_changed_its_case_is_the_same_column(house: House) -> None:
    house.load(TARGET, orders({1: "a"}))
    house.load(TARGET, orders({2: "b"}).rename_columns(["NO", "note"]))
    assert house.types(TARGET) == {"NO": "INTEGER", "note": "VARCHAR"}
    assert rows(house) == [(2, "b")]


def test_a_changed_type_is_refused_and_nothing_is_written(house: House) -> None:
    house.load(TARGET, orders({1: "a"}))
    changed = pa.table({"No": pa.array([2.0], pa.float64()), "Note": pa.array([b"b"]), "New": pa.array([1])})
    with pytest.raises(DriftError) as caught:
        house.load(TARGET, changed)
    assert "No is INTEGER in the warehouse and DOUBLE in the load" in str(caught.value)
    assert "Note is VARCHAR in the warehouse and BLOB in the load" in str(caught.value)
    assert rows(house) == [(1, "a")]
    assert house.types(TARGET) == {"No": "INTEGER", "Note": "VARCHAR"}


def test_a_table_dropped_by_hand_is_made_again(house: House) -> None:
    """dlt remembers schemas it has created and would not look."""
    house.load(TARGET, orders({1: "a"}))
    with duckdb.connect(str(house.path)) as connection:
        connection.execute('DROP TABLE sales."Orders"')
    house.load(TARGET, orders({1: "a"}))
    assert rows(house) == [(1, "a")]


def test_records_of_dlt_do_not_pile_up(house: House) -> None:
    for number in range(3):
        house.load(TARGET, orders({number: "a"}), how=slot(f"[{number},{number + 1})"))
    (versions,) = house.query("SELECT count(*) FROM sales._dlt_version")
    (loads,) = house.query("SELECT count(*) FROM sales._dlt_loads")
    assert (versions, loads) == ((1,), (3,))


AWKWARD = [
    "Order Details",
    "a.b",
    "o'r\"d]er[s",
    "trailing_",
    "x" * 128,
    "😀 Bestellungen",
    "Order;DROP TABLE x--",
    "{braces} 100%s",
    "a=b/c\\d*?",
    "new\nline",
    "VACUUM DROP TABLE alter",
]


@pytest.mark.parametrize("name", AWKWARD)
def test_any_name_is_kept_exactly(house: House, name: str) -> None:
    """As table, schema and column, and in the condition that dlt sends through str.format."""
    column = ColumnFacts(name, 1, "int", 4, 10, 0, None, is_nullable=True)
    table = pa.table({name: pa.array([1, 5, None], pa.int32()), " b ": pa.array(["x", "y", "z"])})
    scope = scope_for(column, pa.int32(), [parse_key("[-inf,3)")])
    target = (name, name)
    for _ in range(2):
        house.load(target, table)
        house.load(target, table.slice(0, 1), how=scope)
    assert house.types(target) == {name: "INTEGER", " b ": "VARCHAR"}
    assert house.warehouse.count(target) == 2
    assert house.warehouse.count(target, scope) == 1
    house.load(
        target, pa.table({name: pa.array([9], pa.int32()), " b ": pa.array(["x"])}), how=MergeKeys((name, " b "))
    )
    assert house.warehouse.unique_count(target, [name, " b "]) == 3


def test_columns_that_differ_in_case_only_are_refused(house: House) -> None:
    with pytest.raises(UnsupportedColumn, match="'Code' and 'CODE' differ in upper and lower case only"):
        house.load(TARGET, pa.table({"Code": [1], "CODE": [2]}))


def test_a_target_is_found_whatever_its_case(house: House) -> None:
    house.load(("sales", "Orders"), orders({1: "a"}))
    house.load(("SALES", "ORDERS"), orders({2: "b"}))
    assert rows(house) == [(2, "b")]
    assert house.warehouse.count(("Sales", "orders")) == 1


def test_the_file_may_be_called_like_the_schema(tmp_path: Path) -> None:
    """`warehouse.orders` in warehouse.duckdb is ambiguous for DuckDB, unless the catalog is named."""
    house = House(tmp_path, file_name="sales.duckdb")
    for number in (1, 2):
        house.load(TARGET, orders({number: "a"}), how=MergeKeys(("No",)))
    assert house.query('SELECT count(*) FROM sales.sales."Orders"') == [(2,)]


@pytest.mark.parametrize("target", [("information_schema", "x"), ("dltsync_staging_1", "x"), ("s", "_dlt_loads")])
def test_reserved_targets_are_refused(house: House, target: tuple[str, str]) -> None:
    with pytest.raises(ConfigError, match="reserved"):
        house.load(target, orders({1: "a"}))


def test_a_view_is_not_loaded_into(house: House) -> None:
    with duckdb.connect(str(house.path)) as connection:
        connection.execute('CREATE SCHEMA sales; CREATE VIEW sales."Orders" AS SELECT 1 AS No')
    with pytest.raises(WarehouseError, match="is a view"):
        house.load(TARGET, orders({1: "a"}))


def test_paths_that_mean_something_to_a_glob_do_no_harm(tmp_path: Path) -> None:
    root = tmp_path / "it's [a] *place* a=b"
    root.mkdir()
    house = House(root)
    house.load(TARGET, orders({1: "a"}))
    assert rows(house) == [(1, "a")]
    assert leftovers(house) == []


def test_a_file_that_is_no_database_is_named(house: House) -> None:
    house.path.write_text("hello")
    with pytest.raises(WarehouseError, match=r"house\.duckdb"):
        house.load(TARGET, orders({1: "a"}))


def test_looking_creates_no_file(house: House) -> None:
    assert house.warehouse.count(TARGET) == 0
    assert house.warehouse.columns(TARGET) == {}
    house.warehouse.drop_table(TARGET)
    assert not house.path.exists()


def test_the_file_is_closed_to_others(house: House) -> None:
    house.load(TARGET, orders({1: "a"}))
    assert house.path.stat().st_mode & 0o777 == 0o640


def test_more_scopes_than_one_statement_takes(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dlt_warehouse, "SCOPES_PER_STATEMENT", 2)
    house.load(TARGET, orders(dict.fromkeys(range(10), "a")))
    scopes = {str(n): slot(f"[{n},{n + 2})") for n in range(0, 10, 2)}
    assert house.warehouse.counts(TARGET, scopes) == dict.fromkeys(scopes, 2)


def test_partitions_of_one_table_from_many_threads(house: House) -> None:
    errors: list[Exception] = []

    def bring(number: int) -> None:
        try:
            house.load(TARGET, orders({number: "a"}), how=slot(f"[{number},{number + 1})"))
        except Exception as error:  # noqa: BLE001 -- whatever it is, the test shows it
            errors.append(error)

    threads = [threading.Thread(target=bring, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert rows(house) == [(n, "a") for n in range(6)]


HOSTILE = """
[schema]
naming = "snake_case"
[normalize.parquet_normalizer]
add_dlt_id = true
add_dlt_load_id = true
[load]
workers = 7
[pipelines]
dataset_name_layout = "mine_%s"
dev_mode = true
[data_writer]
version = "1.0"
[destination]
replace_strategy = "truncate-and-insert"
"""


def test_somebody_elses_dlt_settings_change_nothing(house: House, tmp_path: Path) -> None:
    """A .dlt/config.toml in the directory the process was started in, as any dlt project has one."""
    settings = tmp_path / "project" / ".dlt"
    settings.mkdir(parents=True)
    (settings / "config.toml").write_text(HOSTILE)
    script = (
        "import sys; from pathlib import Path; from tests.core.warehouse.warehouse_files import House, orders;"
        "import pyarrow as pa; t = orders({1: 'a'}).append_column('Order No', pa.array([1_000_000_000_000_000_001])"
        ".cast(pa.timestamp('ns')));"
        "House(Path(sys.argv[1])).load(('sales', 'Orders'), t)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    subprocess.run([sys.executable, "-c", script, str(house.root)], check=True, cwd=settings.parent, env=environment)
    assert house.types(TARGET) == {"No": "INTEGER", "Note": "VARCHAR", "Order No": "TIMESTAMP_NS"}


def test_our_settings_do_not_reach_somebody_elses_pipeline(house: House, tmp_path: Path) -> None:
    house.load(TARGET, orders({1: "a"}))
    with duckdb.connect(str(tmp_path / "theirs.duckdb")) as connection:
        theirs = dlt.pipeline(
            "theirs",
            pipelines_dir=str(tmp_path / "dlt"),
            destination=dlt.destinations.duckdb(connection),
            dataset_name="d",
        )
        theirs.run([{"OrderNo": 1}], table_name="MyOrders")
        theirs.deactivate()
        assert connection.execute("SELECT order_no FROM d.my_orders").fetchall() == [(1,)]


def test_nothing_is_told_to_anybody() -> None:
    """dlt reports runs to its vendor unless it is told not to before its first pipeline."""
    script = (
        "import dltsync_core.warehouse.dlt_warehouse, dlt, tempfile;"
        "dlt.pipeline('p', pipelines_dir=tempfile.mkdtemp());"
        "from dlt.common.runtime import anon_tracker;"
        "print(anon_tracker._ANON_TRACKER_ENDPOINT)"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RUNTIME__")}
    said = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, env=environment)
    assert said.stdout.strip() == "None"


def test_a_load_says_nothing_on_its_own(house: House, capfd: pytest.CaptureFixture[str]) -> None:
    house.load(TARGET, orders({1: "a"}))
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")
