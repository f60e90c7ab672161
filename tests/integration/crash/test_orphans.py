"""A process dies when a file of its load has its public name and no manifest names it, and nobody ever loads that unit again.

Until the file is seen a reader of all files below `data/` finds its rows twice: the next run, recovery and validation see it.
"""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dltsync_core import checkpoints
from dltsync_core.config import PipelineConfig
from dltsync_core.run.pipeline import IncrementalSQLServerParquetPipeline
from tests.integration.crash.attempts import Stop
from tests.integration.crash.lake_reader import manifests, rows_by_glob
from tests.integration.crash.stage import Stage
from tests.integration.crash.table_kinds import (
    COUNTRIES,
    PARTITION_COLUMNS,
    PARTITION_DROP,
    RIGHT,
    VERSIONS,
    Case,
)
from tests.integration.crash.verdicts import not_converged
from tests.integration.crash.warehouses import WAREHOUSES, WarehouseUnderTest
from tests.support.object_stores import Bucket

StageOf = Callable[[Case, WarehouseUnderTest], Stage]

pytestmark = pytest.mark.timeout(900)

KILLED = Stop(checkpoints.FILE_IN_PLACE)

PARTITION = Case(
    "partition",
    "partition",
    RIGHT,
    PARTITION_COLUMNS,
    change=("UPDATE {s}.T SET Note = NULL WHERE 1 = 0",),
    drop=PARTITION_DROP,
)
SCD = Case(
    "scd",
    "scd",
    VERSIONS,
    ("No", "EffectiveDate", "EndDate", "IsLatest", "Name", "Changed"),
    change=("UPDATE {s}.T SET Name = NULL WHERE 1 = 0",),
    table={"last_modified_column": "Changed"},
    keys=("No", "EffectiveDate"),
)
STATIC = Case(
    "static",
    "static",
    COUNTRIES,
    ("Code", "Name", "Area"),
    change=("UPDATE {s}.T SET Name = NULL WHERE 1 = 0",),
)

DONE_AND_UNDONE = {
    "partition": (
        "UPDATE {s}.T SET Note = N'geändert' WHERE Id = 3",
        "UPDATE {s}.T SET Note = NULL WHERE Id = 3",
    ),
    "scd": (
        "UPDATE {s}.T SET Name = N'Bobby', Changed = '2026-01-20T09:00:00' WHERE No = 2",
        "UPDATE {s}.T SET Name = N'Bøb', Changed = '2026-01-02T08:00:00.0000001' WHERE No = 2",
    ),
    "static": (
        "UPDATE {s}.T SET Name = N'Suisse' WHERE Code = 'CH'",
        "UPDATE {s}.T SET Name = N'Schweiz' WHERE Code = 'CH'",
    ),
}

every_kind = pytest.mark.parametrize("case", [pytest.param(c, id=c.name) for c in (PARTITION, SCD, STATIC)])
every_way = pytest.mark.parametrize(
    "way",
    [pytest.param({"force": True}, id="force"), pytest.param({"full_refresh": True}, id="full refresh"), "undone"],
)
every_warehouse = pytest.mark.parametrize("warehouse", [pytest.param(w, id=w.name, marks=w.marks) for w in WAREHOUSES])


def killed(stage: Stage, config: Mapping[str, Any], way: Mapping[str, Any] | str) -> None:
    """A load that nobody repeats ends between a file's name and its manifest."""
    do, undo = DONE_AND_UNDONE[stage.case.name]
    if isinstance(way, str):
        stage.execute(do)
    arguments = {"parallel_execution": False, **(way if isinstance(way, Mapping) else {})}
    ended = stage.processes.run(config, runs=[arguments], stop=KILLED)
    if isinstance(way, str):
        stage.execute(undo)
    assert ended.status == -signal.SIGKILL, ended.report


@contextmanager
def opened(config: Mapping[str, Any]) -> Iterator[IncrementalSQLServerParquetPipeline]:
    with IncrementalSQLServerParquetPipeline(PipelineConfig(**config)) as pipeline:
        yield pipeline


def data_files(place: Path) -> set[str]:
    return {path.name for path in place.glob("lake/*/*/data/**/*.parquet")}


def named_files(place: Path) -> set[str]:
    return {Path(file["path"]).name for manifest in manifests(place / "lake") for file in manifest["files"]}


def globbed(bucket: Bucket) -> list[str]:
    """What a plain glob over the table's files finds."""
    return [name for name in bucket.data_names() if "/_quarantine/" not in name]


def quarantined(place: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in place.glob("lake/*/*/_quarantine/**/*.why.json")]


def told_of(config: Mapping[str, Any], orphan: str) -> list[bool]:
    """Whether those who only look tell of the file: a plan, validation, a dry run of recovery."""
    with opened(config) as pipeline:
        (plan,) = pipeline.plan()
        report = pipeline.validate_all_tables()
        dry = pipeline.recover(dry_run=True)
    assert {step.action.value for step in plan.steps} == {"skip"}, "the load would be done again anyway"
    return [
        any(orphan in note for note in plan.notes),
        not report["valid"] and any(orphan in said for table in report["tables"] for said in table["problems"]),
        not dry["agreed"] and any(orphan in said for table in dry["tables"] for said in table["quarantined"]),
    ]


@pytest.mark.survives(
    "crash",
    "kill -9 when a file has its public name and no manifest names it, of a load that no run repeats: "
    "run with --force or --full-refresh, or of a change that is undone before the next run",
    "plan, validate and recover name the file; the next run, or recover, moves it to quarantine",
    "source, lake (by manifest and by plain glob) and warehouse equal, row by row; nothing is read again",
)
@every_kind
@every_way
@every_warehouse
def test_an_orphan_of_a_load_that_nobody_repeats_is_seen_and_set_aside(
    stage_of: StageOf, case: Case, way: Mapping[str, Any] | str, warehouse: WarehouseUnderTest
) -> None:
    stage = stage_of(case, warehouse)
    with stage.cell() as place, stage.cell() as other:
        config = stage.config(place)
        killed(stage, config, way)
        (orphan,) = data_files(place) - named_files(place)
        if case is not SCD or way == "undone":
            assert rows_by_glob(place / "lake", case.columns, case.keys) != stage.source
        shutil.rmtree(other)
        shutil.copytree(place, other)
        assert told_of(config, orphan) == [True, True, True]

        ended = stage.run(place, times=2)
        assert not_converged(stage, place, ended) == []
        assert {unit["status"] for run in ended.runs for unit in run["result"]["units"]} == {"skipped"}
        assert [note["kind"] for note in quarantined(place)] == ["orphan file"]

        with opened(stage.config(other)) as pipeline:
            assert any(orphan in said for said in pipeline.recover()["tables"][0]["quarantined"])
            assert pipeline.recover(dry_run=True)["agreed"]
            assert pipeline.validate_all_tables()["valid"]
        assert orphan not in data_files(other)
        assert rows_by_glob(other / "lake", case.columns, case.keys) == stage.source
        assert not_converged(stage, other, stage.run(other, times=2)) == []


@pytest.mark.survives(
    "crash",
    "kill -9 when an object has its public name and no manifest names it, in a bucket (S3)",
    "plan, validate and recover name the object; the next run moves it to quarantine",
    "a plain glob finds the earlier objects; nothing is read again",
)
@every_kind
def test_an_orphan_in_a_bucket_is_seen_and_set_aside(stage_of: StageOf, case: Case, s3_bucket: Bucket) -> None:
    stage = stage_of(case, WAREHOUSES[0])
    with stage.cell() as place:
        config = stage.config(place)
        config["state"] |= {
            "state_directory": str(place / "bucket state"),
            "parquet_directory": s3_bucket.url,
            "storage_options": s3_bucket.options,
        }
        with opened(config) as pipeline:
            assert pipeline.run().success
        before = globbed(s3_bucket)
        killed(stage, config, {"force": True})
        (orphan,) = set(globbed(s3_bucket)) - set(before)
        assert told_of(config, Path(orphan).name) == [True, True, True]

        ended = stage.processes.run(config, runs=[{}, {}])
        assert {unit["status"] for run in ended.runs for unit in run["result"]["units"]} == {"skipped"}
        assert globbed(s3_bucket) == before
        assert [name for name in s3_bucket.names() if "/_quarantine/" in name and name.endswith(Path(orphan).name)]
        with opened(config) as pipeline:
            assert pipeline.validate_all_tables()["valid"]
