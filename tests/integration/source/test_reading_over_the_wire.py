"""Reading: one consistent view, digests anybody can recompute, bounded memory, and clean ends."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from dltsync_core.catalog.facts import TableFacts
from dltsync_core.committed import Probe
from dltsync_core.config import PartitionTableConfig, ProcessingConfig, SCDTableConfig, StaticTableConfig
from dltsync_core.config.memory_budget import least_memory_mb
from dltsync_core.errors import ExtractError, QueryError
from dltsync_core.extract.unit import WHOLE, UnitFilter
from tests.integration.source.source_tables import SourceTables
from tests.support.server_shop import Server


def _lanes(*rows: str, algorithm: str = "sha256") -> tuple[int, int]:
    """The two lane sums over canonical row texts, computed here by Python alone."""
    digests = [hashlib.new(algorithm, row.encode("utf-16-le")).digest() for row in rows]
    return (
        sum(int.from_bytes(d[:8], "big", signed=True) for d in digests),
        sum(int.from_bytes(d[8:16], "big", signed=True) for d in digests),
    )


def _static(tables: SourceTables, **values: str) -> StaticTableConfig:
    return StaticTableConfig(**{"table_name": "t", "schema_name": tables.schema, **values})


def _probe(tables: SourceTables, config: StaticTableConfig) -> Probe:
    source = tables.source()
    facts = source.read_tables([config])[config.name]
    with source.read_view() as view:
        return view.probe_static(facts, source.map_columns(facts, config), config)


@pytest.mark.parametrize(("algorithm", "name"), [("hashbytes_sha256", "sha256"), ("hashbytes_md5", "md5")])
def test_the_digest_is_the_documented_one(tables: SourceTables, algorithm: str, name: str) -> None:
    """Lengths are bytes of the text: one per character of numbers, two of names. NULL is `~`."""
    tables.table(
        "t", "id int NOT NULL, name nvarchar(10) NULL, price money NULL, at datetime2(3) NULL, raw varbinary(4) NULL"
    )
    tables.run("INSERT INTO {s}.t VALUES (1, N'Łó', 1.5, '2024-01-01T00:00:00.123', 0x01FF)")
    tables.run("INSERT INTO {s}.t VALUES (-12, N'', NULL, NULL, NULL)")
    probe = _probe(tables, _static(tables, hash_algorithm=algorithm))
    first, second = _lanes(
        "1:1" + "4:Łó" + "6:1.5000" + "23:2024-01-01 00:00:00.123" + "6:0x01FF", "3:-12" + "0:" + "~~~", algorithm=name
    )
    assert probe.rows == 2
    assert probe.signature.startswith(f"2|{first}|{second}|")


def test_a_digest_does_not_depend_on_order_and_sees_every_change(tables: SourceTables) -> None:
    tables.table("t", "id int NOT NULL, a nvarchar(10) NULL, b nvarchar(10) NULL")
    config = _static(tables)
    seen = [_probe(tables, config)]

    def changed_by(statement: str) -> bool:
        tables.run(statement)
        seen.append(_probe(tables, config))
        return seen[-1] not in seen[:-1]

    assert changed_by("INSERT INTO {s}.t VALUES (1, N'a', N'b')")
    assert changed_by("INSERT INTO {s}.t VALUES (1, N'a', N'b')")
    assert changed_by("UPDATE {s}.t SET a = N'ab', b = N''")
    assert changed_by("UPDATE {s}.t SET a = N'ab', b = NULL")
    assert changed_by("UPDATE {s}.t SET a = N'AB'")
    assert changed_by("UPDATE {s}.t SET a = N'AB '")
    tables.run("DELETE FROM {s}.t")
    assert _probe(tables, config) == seen[0]
    for row in ("(1, N'x', N'y')", "(2, N'u', N'v')"):
        tables.run(f"INSERT INTO {{s}}.t VALUES {row}")
    one_way = _probe(tables, config)
    tables.run("DELETE FROM {s}.t")
    for row in ("(2, N'u', N'v')", "(1, N'x', N'y')"):
        tables.run(f"INSERT INTO {{s}}.t VALUES {row}")
    assert _probe(tables, config) == one_way


def test_a_wide_table_is_digested_too(tables: SourceTables) -> None:
    """More columns than one CONCAT takes."""
    columns = ", ".join(f"c{i} int NULL" for i in range(200))
    tables.table("t", columns)
    tables.run("INSERT INTO {s}.t (c0, c199) VALUES (7, 8)")
    first, second = _lanes("1:7" + "~" * 198 + "1:8")
    assert _probe(tables, _static(tables)).signature.startswith(f"1|{first}|{second}|")


def test_long_texts_are_not_cut_in_the_digest(tables: SourceTables) -> None:
    tables.table("t", "a nvarchar(4000) NULL, b nvarchar(max) NULL")
    tables.run("INSERT INTO {s}.t VALUES (?, ?)", "x" * 4000, "y" * 9000)
    first, second = _lanes("8000:" + "x" * 4000 + "18000:" + "y" * 9000)
    assert _probe(tables, _static(tables)).signature.startswith(f"1|{first}|{second}|")


@pytest.mark.parametrize("method", ["rowversion", "last_modified", "fingerprint"])
def test_an_update_in_one_slot_changes_the_probe_of_that_slot_alone(tables: SourceTables, method: str) -> None:
    tables.make(
        "CREATE PARTITION FUNCTION pf_{s} (int) AS RANGE RIGHT FOR VALUES (10, 20)", "DROP PARTITION FUNCTION pf_{s}"
    )
    tables.make("CREATE PARTITION SCHEME ps_{s} AS PARTITION pf_{s} ALL TO ([PRIMARY])", "DROP PARTITION SCHEME ps_{s}")
    tables.table("t", "c int NOT NULL, at datetime2(7) NOT NULL, n int NOT NULL, rv rowversion", "ON ps_{s}(c)")
    for value in (1, 11, 12, 21):
        tables.run(f"INSERT INTO {{s}}.t (c, at, n) VALUES ({value}, '2024-01-01', 0)")
    config = PartitionTableConfig(
        table_name="t", schema_name=tables.schema, change_detection=method, last_modified_column="at"
    )
    source = tables.source()
    facts = source.read_tables([config])[config.name]
    mapping = source.map_columns(facts, config)

    def look() -> dict[int, Probe]:
        with source.read_view() as view:
            return view.probe_partitions(facts, mapping, config)

    before = look()
    tables.run("UPDATE {s}.t SET n = 1, at = '2023-12-31' WHERE c = 12")
    after = look()
    assert [n for n in (1, 2, 3) if before[n] != after[n]] == [2]
    assert {probe.method for probe in after.values()} == {method}
    assert [after[n].rows for n in (1, 2, 3)] == [1, 2, 1]


def _versions(tables: SourceTables, modified: str) -> tuple[SCDTableConfig, TableFacts]:
    tables.table(
        "v",
        "k int NOT NULL, EffectiveDate datetime2(3) NOT NULL, EndDate datetime2(3) NULL, IsLatest bit NOT NULL, "
        f"m {modified}, CONSTRAINT pk_{{s}}_v PRIMARY KEY (k, EffectiveDate)",
    )
    config = SCDTableConfig(table_name="v", schema_name=tables.schema, last_modified_column="m", lag_seconds=60)
    return config, tables.source().read_tables([config])[config.name]


def test_a_late_commit_below_the_watermark_is_seen(tables: SourceTables) -> None:
    config, facts = _versions(tables, "datetime2(7) NULL")
    source = tables.source()
    mapping = source.map_columns(facts, config)

    def look(committed: str | None) -> Probe:
        with source.read_view() as view:
            return view.probe_scd(facts, mapping, config, committed)

    assert (look(None).rows, look(None).watermark_high) == (0, None)
    tables.run("INSERT INTO {s}.v VALUES (1, '2024-01-01', NULL, 1, '2024-01-01T10:00:00.1234567')")
    mark = look(None).watermark_high
    assert mark == "2024-01-01 10:00:00.1234567"
    before = look(mark)
    assert look(mark) == before
    tables.run("UPDATE {s}.v SET IsLatest = 0, m = '2024-01-01T09:59:30' WHERE k = 1")
    tables.run("INSERT INTO {s}.v VALUES (1, '2024-01-02', NULL, 1, '2024-01-01T10:00:00.1234567')")
    tables.run("DELETE FROM {s}.v WHERE EffectiveDate = '2024-01-01'")
    assert (look(mark).rows, look(mark).watermark_high) == (1, mark)
    assert look(mark) != before
    tables.run("INSERT INTO {s}.v VALUES (2, '2024-01-02', NULL, 1, NULL)")
    column = facts.column("m")
    rows, _ = tables.read(config, UnitFilter(window_column=column, window_low=mark))
    assert rows.column("k").to_pylist() == [2], "a NULL stamp belongs to every increment"


def test_a_window_is_exclusive_below_and_inclusive_above_to_the_last_digit(tables: SourceTables) -> None:
    config, facts = _versions(tables, "datetime2(7) NOT NULL")
    for key in range(5):
        tables.run(f"INSERT INTO {{s}}.v VALUES ({key}, '2024-01-01', NULL, 1, '2024-01-01T10:00:00.000000{key}')")
    window = UnitFilter(
        window_column=facts.column("m"),
        window_low="2024-01-01 10:00:00.0000001",
        window_high="2024-01-01 10:00:00.0000003",
    )
    rows, report = tables.read(config, window)
    assert sorted(rows.column("k").to_pylist()) == [2, 3]  # type: ignore[type-var]  # none is NULL
    assert report.counted_rows == 2


def test_a_rowversion_window(tables: SourceTables) -> None:
    config, facts = _versions(tables, "rowversion")
    source = tables.source()
    mapping = source.map_columns(facts, config)
    for key in range(3):
        tables.run(f"INSERT INTO {{s}}.v (k, EffectiveDate, EndDate, IsLatest) VALUES ({key}, '2024-01-01', NULL, 1)")
    with source.read_view(ceiling=True) as view:
        probe = view.probe_scd(facts, mapping, config, None)
    assert probe.method == "rowversion"
    assert probe.watermark_high is not None
    assert len(probe.watermark_high) == 18
    tables.run("UPDATE {s}.v SET IsLatest = 0 WHERE k = 1")
    rows, _ = tables.read(config, UnitFilter(window_column=facts.column("m"), window_low=probe.watermark_high))
    assert rows.column("k").to_pylist() == [1]


def _many(tables: SourceTables, rows: int) -> StaticTableConfig:
    tables.numbered("t", rows)
    return _static(tables)


def test_rows_arrive_once_in_batches_of_bounded_size(tables: SourceTables) -> None:
    config = _many(tables, 20_000)
    rows, report = tables.read(config, batch_size=1000)
    assert (report.rows, report.batches) == (20_000, 20)
    assert sorted(rows.column("id").to_pylist()) == list(range(20_000))  # type: ignore[type-var]  # none is NULL
    processing: dict[str, Any] = {"memory_limit_mb": least_memory_mb(1), "max_workers": 1, "batch_bytes_mb": 1}
    _, large = tables.read(config)
    _, small = tables.read(config, **processing)
    assert small.peak_queue_bytes <= ProcessingConfig(**processing).memory.queue_bytes
    assert small.batches > large.batches


@pytest.fixture
def isolated(server: Server) -> Iterator[Callable[[str], SourceTables]]:
    """Makes databases of their own, with SNAPSHOT isolation ON or OFF."""
    control = SourceTables(server)
    opened: list[SourceTables] = []

    def make(snapshot: str) -> SourceTables:
        opened.append(SourceTables(replace(server, database=control.other_database(snapshot))))
        return opened[-1]

    yield make
    for tables in opened:
        tables.drop()
    control.drop()


def test_a_view_sees_one_moment(isolated: Callable[[str], SourceTables]) -> None:
    tables = isolated("ON")
    config = _many(tables, 100)
    source = tables.source()
    facts = source.read_tables([config])[config.name]
    mapping = source.map_columns(facts, config)
    batches: list[pa.RecordBatch] = []
    with source.read_view() as view:
        assert view.consistency == "snapshot"
        assert view.count(facts, WHOLE) == 100
        before = view.probe_static(facts, mapping, config)
        tables.run("DELETE FROM {s}.t WHERE id < 50")
        tables.run("INSERT INTO {s}.t VALUES (1000, N'late')")
        assert view.extract(facts, mapping, WHOLE, batches.append).rows == 100
        assert view.count(facts, WHOLE) == 100
        assert view.probe_static(facts, mapping, config) == before
    with source.read_view() as view:
        assert view.count(facts, WHOLE) == 51


def test_without_snapshots_a_change_while_reading_is_an_error(isolated: Callable[[str], SourceTables]) -> None:
    tables = isolated("OFF")
    config = _many(tables, 3000)
    source = tables.source(batch_size=1000)
    facts = source.read_tables([config])[config.name]
    mapping = source.map_columns(facts, config)
    quiet: list[pa.RecordBatch] = []
    with source.read_view() as view:
        assert view.consistency == "read_committed"
        assert view.extract(facts, mapping, WHOLE, quiet.append).rows == 3000

    def insert_once(batch: pa.RecordBatch) -> None:
        tables.run("INSERT INTO {s}.t VALUES (1000000, N'meanwhile')")

    def read() -> None:
        with source.read_view() as view:
            view.extract(facts, mapping, WHOLE, insert_once)

    with pytest.raises(ExtractError, match="3,000 rows were counted before reading and 3,003 after it") as caught:
        read()
    assert "ALLOW_SNAPSHOT_ISOLATION" in str(caught.value)


def _no_readers() -> bool:
    return not any(t.name == "dltsync-reader" for t in threading.enumerate())


def test_a_failing_writer_ends_the_reading_at_once(tables: SourceTables) -> None:
    config = _many(tables, 50_000)
    source = tables.source(batch_size=500)
    facts = source.read_tables([config])[config.name]
    mapping = source.map_columns(facts, config)

    def full_disk(batch: pa.RecordBatch) -> None:
        time.sleep(0.1)
        raise OSError("no space left on device")

    started = time.monotonic()

    def read() -> None:
        with source.read_view() as view:
            view.extract(facts, mapping, WHOLE, full_disk)

    with pytest.raises(OSError, match="no space left"):
        read()
    assert time.monotonic() - started < 10
    assert _no_readers()
    with source.read_view() as view:
        assert view.count(facts, WHOLE) == 50_000


def test_progress_is_told_batch_by_batch(tables: SourceTables) -> None:
    config = _many(tables, 2500)
    source = tables.source(batch_size=1000)
    facts = source.read_tables([config])[config.name]
    told: list[int] = []
    with source.read_view() as view:
        view.extract(facts, source.map_columns(facts, config), WHOLE, lambda batch: None, told.append)
    assert told == [1000, 2000, 2500]


def test_several_views_at_once(tables: SourceTables) -> None:
    config = _many(tables, 5000)
    source = tables.source(batch_size=500)
    facts = source.read_tables([config])[config.name]
    mapping = source.map_columns(facts, config)
    reports: list[int] = []

    def read() -> None:
        with source.read_view() as view:
            reports.append(view.extract(facts, mapping, WHOLE, lambda batch: None).rows)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert reports == [5000] * 4


def test_a_table_that_went_away_is_told(tables: SourceTables) -> None:
    tables.table("gone", "id int NOT NULL")
    config = _static(tables, table_name="gone")
    source = tables.source()
    facts = source.read_tables([config])[config.name]
    missing = TableFacts(type(facts.name)(tables.schema, "never_there"), 0, facts.columns, (), (), None, 0)

    def count() -> None:
        with source.read_view() as view:
            view.count(missing, WHOLE)

    with pytest.raises(Exception, match="not found or not permitted") as caught:
        count()
    assert not isinstance(caught.value, (QueryError, ExtractError))
