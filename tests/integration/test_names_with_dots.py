"""`[a.b].[c]` and `[a].[b.c]` side by side: each has its own rows, folder, commits and name, in every command."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dltsync_core.errors import ConfigError
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from tests.support.dotted_tables import LETTERS, DottedTables
from tests.support.server_shop import Server

KEYS = ["(-inf,10]", "(10,20]", "(20,+inf)"]


@pytest.fixture
def tables(request: pytest.FixtureRequest, snapshot_server: Server, tmp_path: Path) -> Iterator[DottedTables]:
    made = DottedTables(snapshot_server, tmp_path, *getattr(request, "param", ()))
    try:
        made.create()
        yield made
    finally:
        made.drop()


@pytest.fixture
def pipeline(tables: DottedTables) -> Iterator[IncrementalSQLServerParquetPipeline]:
    with IncrementalSQLServerParquetPipeline(tables.config()) as opened:
        yield opened


def test_each_has_its_own_rows_commits_and_name(
    tables: DottedTables, pipeline: IncrementalSQLServerParquetPipeline
) -> None:
    names = [str(table) for table in tables.all]
    assert len(set(names)) == 6
    assert [str(plan.table) for plan in pipeline.plan()] == names
    first = pipeline.run()
    assert first.success, first["errors"]
    assert {unit["table"] for unit in first["units"]} == set(names)
    tables.assert_everywhere()

    _assert_looks(tables, pipeline)
    for kind in LETTERS:  # the first of each two moves, the other does not
        tables.add(tables.tables(kind)[0], 30)
    changed = pipeline.run()
    assert {(str(u.table), u.unit) for u in changed.units if u.status == "committed"} == {
        (str(tables.tables("partition")[0]), KEYS[-1]),
        *((str(tables.tables(kind)[0]), "all") for kind in ("scd", "static")),
    }
    for table in tables.all:  # the change files of scd tables hold some versions twice
        assert set(tables.lake(table)) == set(tables.source(table)) == set(tables.warehouse(table))


def _assert_looks(tables: DottedTables, pipeline: IncrementalSQLServerParquetPipeline) -> None:
    status = {row["table"]: (row["target"], row["rows"]) for row in pipeline.get_pipeline_status()["tables"]}
    assert status == {
        str(table): (target.format(letter), rows)
        for kind, letter in LETTERS.items()
        for table, target, rows in zip(
            tables.tables(kind), ("warehouse.{}", "[warehouse].[b.{}]"), (24, 25), strict=True
        )
    }
    assert pipeline.validate_all_tables()["valid_tables"] == 6
    for table, rows in zip(tables.tables("partition"), (24, 25), strict=True):
        name = str(table)
        assert pipeline.partition_keys(name) == KEYS
        assert sum(head.rows for head in pipeline.committed(name).values()) == rows
        assert sum(probe.rows for probe in pipeline.probe(name).values()) == rows
        assert {step.table for plan in pipeline.plan(table_names=[name]) for step in plan.steps} == {table}
    for table in tables.tables("scd"):
        assert pipeline.scd_handler.repair_scd_integrity(str(table))["table"] == str(table)
    with pytest.raises(ConfigError, match="did you mean"):
        pipeline.committed(f"{tables.tag}.b.c")


@pytest.mark.parametrize("tables", [(["partition"],)], indirect=True, ids=[""])
def test_recovery_of_one_leaves_the_other_alone(
    tables: DottedTables, pipeline: IncrementalSQLServerParquetPipeline
) -> None:
    assert pipeline.run().success
    shutil.rmtree(tables.root / "state")
    report = _by_table(pipeline.recover())
    verdicts = {name: [unit["verdict"] for unit in found["units"]] for name, found in report.items()}
    assert verdicts == {str(table): ["adopt"] * 3 for table in tables.all}, "the ledger is rebuilt for each"

    folder = next(tables.root.glob("lake/*/*/data"))
    for file in folder.rglob("*.parquet"):
        file.write_bytes(file.read_bytes()[:-9])
    hurt = [name for name, found in _by_table(pipeline.recover(dry_run=True)).items() if found["quarantined"]]
    assert len(hurt) == 1
    mended = pipeline.run()
    assert mended.success, mended["errors"]
    assert {str(u.table) for u in mended.units if u.status == "committed"} == set(hurt)
    tables.assert_everywhere()


def _by_table(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {table["table"]: table for table in report["tables"]}
