"""What a load shows of its columns comes from the run itself: the lake may lie where Dagster has no file to look into."""

from __future__ import annotations

import dagster as dg
import pytest

from dltsync_core.config import StaticTableConfig
from dltsync_core.identity import TableName
from dltsync_core.run.result import RemovedPartitions, RunResult, UnitResult
from dltsync_core.typemap import map_columns
from dltsync_dagster.metadata import notes_metadata, table_metadata
from tests.support.table_facts import column, table

MAPPING = map_columns(
    table(column("since", "datetimeoffset"), column("id", "int", 2, is_nullable=False, is_computed=True)),
    StaticTableConfig(table_name="Orders", column_representation={"since": "utc"}),
)


def _unit(*files: str) -> UnitResult:
    contracts = MAPPING.contracts() if files else {}
    return UnitResult(
        TableName("sales", "Orders"), "static", "all", "committed", "new", files=files, contracts=contracts
    )


@pytest.mark.parametrize(
    ("file", "folder"),
    [
        ("s3://lake/sales_Orders/data/1.parquet", "s3://lake/sales_Orders/data"),
        ("/srv/lake/sales_Orders/data/1.parquet", "file:///srv/lake/sales_Orders/data"),
    ],
)
def test_columns_are_shown_wherever_the_lake_lies(file: str, folder: str) -> None:
    shown = table_metadata(None, dg.AssetKey("source"), [_unit(file), _unit()])
    assert shown["dagster/uri"] == folder
    columns = shown["dagster/column_schema"].columns
    assert [(c.name, c.type, c.description, c.constraints.nullable) for c in columns] == [
        (
            "since",
            "timestamp[us, tz=UTC]",
            (
                "datetimeoffset(7); loses the offset; the instant in UTC (column_representation utc); "
                "a value whose seventh digit is not 0 stops the load"
            ),
            True,
        ),
        ("id", "int32", "int; lossless; computed (not persisted: the server computes it at each read)", False),
    ]
    assert shown["dltsync/lossy_columns"] == {"since": "the offset"}
    assert list(shown["dltsync/column_contracts"]) == ["since", "id"]


def test_what_a_warehouse_says_of_a_column_is_shown() -> None:
    contracts = {"id": {**MAPPING.contracts()["id"], "origin": "", "warehouse": "held as text"}}
    unit = UnitResult(
        TableName("sales", "Orders"),
        "static",
        "all",
        "committed",
        "new",
        files=("/lake/1.parquet",),
        contracts=contracts,
    )
    (shown,) = table_metadata(None, dg.AssetKey("source"), [unit])["dagster/column_schema"].columns
    assert shown.description == "int; lossless; held as text"


def test_a_run_that_wrote_nothing_shows_no_columns() -> None:
    assert table_metadata(None, dg.AssetKey("source"), [_unit()]) == {}


def test_what_left_the_warehouse_for_its_age_is_shown() -> None:
    removed = RemovedPartitions(TableName("sales", "Orders"), {"(-inf,10)": 2, "[10,20)": 3}, "switch")
    result = RunResult("run", (), 0.1, notes=(removed.sentence,), removed=(removed,))
    assert notes_metadata(result) == {
        "dltsync/notes": "sales.Orders: 2 partitions out of retention with 5 rows left the warehouse by switch",
        "dltsync/removed_rows": 5,
        "dltsync/removed_partitions": ["(-inf,10)", "[10,20)"],
    }
    assert notes_metadata(RunResult("run", (), 0.1)) == {}
