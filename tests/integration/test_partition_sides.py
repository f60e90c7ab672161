"""RANGE LEFT and RANGE RIGHT, partition columns of several types, values on and around the boundaries, and NULL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from dltsync_core.config import PartitionTableConfig
from tests.support.server_shop import Server, ServerShop

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
NAMES = {case: "T_" + re.sub(r"\W", "_", case) for case in CASES}


@pytest.fixture
def place(server: Server, tmp_path: Path) -> Iterator[ServerShop]:
    """A table of each case, named after it."""
    made = ServerShop(server, tmp_path)
    made.execute("CREATE SCHEMA {s}")
    try:
        for case, (type_name, side, boundaries, values) in CASES.items():
            name = NAMES[case]
            bounds = ", ".join(boundaries)
            made.execute(
                f"CREATE PARTITION FUNCTION pf_{{s}}_{name} ({type_name}) AS RANGE {side} FOR VALUES ({bounds})"
            )
            made.execute(f"CREATE PARTITION SCHEME ps_{{s}}_{name} AS PARTITION pf_{{s}}_{name} ALL TO ([PRIMARY])")
            made.execute(f"CREATE TABLE {{s}}.{name} (Id int NOT NULL, P {type_name} NULL) ON ps_{{s}}_{name}(P)")
            rows = ", ".join(f"({number}, {value})" for number, value in enumerate([*values, "NULL"]))
            made.execute(f"INSERT INTO {{s}}.{name} (Id, P) VALUES {rows}")
        made.overrides = {
            "partition_tables": [PartitionTableConfig(table_name=n, schema_name=made.schema) for n in NAMES.values()],
            "scd_tables": [],
            "static_tables": [],
        }
        yield made
    finally:
        for name in NAMES.values():
            made.execute(f"DROP TABLE IF EXISTS {{s}}.{name}")
            made.execute(f"DROP PARTITION SCHEME ps_{{s}}_{name}")
            made.execute(f"DROP PARTITION FUNCTION pf_{{s}}_{name}")
        made.execute("DROP SCHEMA {s}")
        made.close()


def test_every_value_comes_over_once_whatever_the_side(place: ServerShop) -> None:
    result = place.run()
    assert result.success, result["errors"]
    for case, (_, _, boundaries, values) in CASES.items():
        units = [unit for unit in result.units if unit.table.table == NAMES[case]]
        assert [u.counts and u.counts.equal for u in units] == [True] * (len(boundaries) + 1), case
        assert sum(unit.rows_read for unit in units) == len(values) + 1, case
    with duckdb.connect(str(place.root / "house.duckdb"), read_only=True) as connection:
        for case, (_, _, _, values) in CASES.items():
            found = connection.execute(f"SELECT Id FROM warehouse.{NAMES[case]} ORDER BY Id").fetchall()
            assert [number for (number,) in found] == list(range(len(values) + 1)), case
    assert invalid(place) == []
    assert place.run(force=True)["total_records"] == result["total_records"]
    assert invalid(place) == []


def invalid(place: ServerShop) -> list[object]:
    with place.pipeline() as pipeline:
        return [table for table in pipeline.validate_all_tables()["tables"] if not table["valid"]]
