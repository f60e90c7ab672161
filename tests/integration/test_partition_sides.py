"""RANGE LEFT and RANGE RIGHT, partition columns of several types, values on and around the boundaries, and NULL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from dltsync_core.config import PartitionTableConfig
from tests.support.server_shop import Server, ServerShop
from tests.support.variants import variants

CASES = {
    "int left": ("int", "LEFT", ["10", "20"], ["9", "10", "11", "20", "21", "-5"]),
    "int right": ("int", "RIGHT", ["10", "20"], ["9", "10", "11", "20", "21", "-5"]),
    "bigint": ("bigint", "RIGHT", ["-1", "9007199254740993"], ["-2", "-1", "9007199254740992", "9007199254740993"]),
    "decimal": ("decimal(12,3)", "LEFT", ["1.500", "2.250"], ["1.499", "1.500", "1.501", "2.250", "2.251"]),
    "date": (
        "date",
        "LEFT",
        ["'2026-01-31'", "'2026-02-28'"],
        ["'2026-01-31'", "'2026-02-01'", "'2026-02-28'", "'2026-03-01'", "'0001-01-01'"],
    ),
    "datetime": (
        "datetime",
        "RIGHT",
        ["'2026-02-01T00:00:00.003'"],
        ["'2026-02-01T00:00:00.000'", "'2026-02-01T00:00:00.003'", "'2026-02-01T00:00:00.007'"],
    ),
    "datetime2(7)": (
        "datetime2(7)",
        "RIGHT",
        ["'2026-02-01T00:00:00.0000001'"],
        ["'2026-02-01T00:00:00.0000000'", "'2026-02-01T00:00:00.0000001'", "'2026-02-01T00:00:00.0000002'"],
    ),
}


@pytest.fixture
def place(server: Server, tmp_path: Path) -> Iterator[ServerShop]:
    made = ServerShop(server, tmp_path)
    made.execute("CREATE SCHEMA {s}")
    yield made
    made.execute("DROP TABLE IF EXISTS {s}.T")
    made.drop()


@pytest.mark.parametrize("case", variants(list(CASES), often={"int left", "int right", "date", "datetime2(7)"}))
def test_every_value_comes_over_once_whatever_the_side(place: ServerShop, case: str) -> None:
    type_name, side, boundaries, values = CASES[case]
    place.execute(
        f"CREATE PARTITION FUNCTION pf_{{s}} ({type_name}) AS RANGE {side} FOR VALUES ({', '.join(boundaries)})"
    )
    place.execute("CREATE PARTITION SCHEME ps_{s} AS PARTITION pf_{s} ALL TO ([PRIMARY])")
    place.execute(f"CREATE TABLE {{s}}.T (Id int NOT NULL, P {type_name} NULL) ON ps_{{s}}(P)")
    for number, value in enumerate([*values, "NULL"]):
        place.execute(f"INSERT INTO {{s}}.T (Id, P) VALUES ({number}, {value})")
    place.overrides = {
        "partition_tables": [PartitionTableConfig(table_name="T", schema_name=place.schema)],
        "scd_tables": [],
        "static_tables": [],
    }
    result = place.run()
    assert result.success, result["errors"]
    assert [u.counts and u.counts.equal for u in result.units] == [True] * (len(boundaries) + 1)
    assert result["total_records"] == len(values) + 1
    with duckdb.connect(str(place.root / "house.duckdb"), read_only=True) as connection:
        found = connection.execute("SELECT Id FROM warehouse.T ORDER BY Id").fetchall()
    assert [number for (number,) in found] == list(range(len(values) + 1))
    with place.pipeline() as pipeline:
        assert pipeline.validate_all_tables()["valid"]
    assert place.run(force=True)["total_records"] == len(values) + 1
    with place.pipeline() as pipeline:
        assert pipeline.validate_all_tables()["valid"]
