"""A column that was dropped and added again has other values, although its name, its type and the rows' versions are the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dltsync_core.config import PipelineConfig, SCDTableConfig
from tests.support.server_shop import Server
from tests.support.type_tables import TypeTables, errors
from tests.support.variants import variants


@pytest.fixture
def house(server: Server, tmp_path: Path) -> Iterator[TypeTables]:
    made = TypeTables(server, tmp_path)
    try:
        yield made
    finally:
        made.drop()


def differences(house: TypeTables) -> list[str]:
    with house.pipeline() as pipeline:
        report = pipeline.validate_all_tables(fingerprint="sha256")
    return [message for table in report["tables"] for message in table["messages"]]


BY_DETECTION = {"Counted": "row_count", "Versioned": "rowversion"}
"""A table for each way to find changes; one run loads both."""


@pytest.mark.parametrize(
    "between",
    variants(
        ["no run", "a run of a changed partition", "a run of another partition on each side"],
        often={"no run", "a run of another partition on each side"},
    ),
)
def test_partitions_nobody_touched_get_the_values_of_a_column_that_was_added_again(
    house: TypeTables, between: str
) -> None:
    """The partition kept the values of the column that was dropped: neither counts nor rowversions move when a column goes
    or comes, and afterwards the table looked as it had when that partition was loaded."""

    def in_both(statement: str) -> None:
        for table in BY_DETECTION:
            house.execute(statement.replace("{t}", f"{{s}}.{table}"))

    for table, detection in BY_DETECTION.items():
        house.create_partitioned(
            table, "id int NOT NULL, x int NULL, y int NULL, rv rowversion", change_detection=detection
        )
    in_both("INSERT INTO {t} (id, x, y) VALUES (1, 100, 1), (11, 110, 2)")
    assert errors(house.run()) == []
    in_both("ALTER TABLE {t} DROP COLUMN x")
    if between != "no run":
        in_both("INSERT INTO {t} (id, y) VALUES (12, 3)")
        assert [unit.rows_read for unit in house.run().units] == [0, 2, 0, 2]
    in_both("ALTER TABLE {t} ADD x int NULL")
    if between == "a run of another partition on each side":
        in_both("INSERT INTO {t} (id, y) VALUES (13, 4)")
        assert errors(house.run(partition_keys=["[10,+inf)"])) == []
    result = house.run()
    assert errors(result) == []
    for table in BY_DETECTION:
        assert house.warehouse(table, "DISTINCT x", order="1") == [(None,)]
    assert differences(house) == []
    assert {unit.status for unit in house.run().units} == {"skipped"}


def test_a_column_that_was_replaced_is_told_and_stops_no_policy(house: TypeTables) -> None:
    house.create("Anew", "id int NOT NULL PRIMARY KEY, x int NULL", schema_drift="freeze")
    house.execute("INSERT INTO {s}.Anew VALUES (1, 100)")
    assert errors(house.run()) == []
    house.execute("ALTER TABLE {s}.Anew DROP COLUMN x")
    house.execute("ALTER TABLE {s}.Anew ADD x int NULL")
    result = house.run()
    assert errors(result) == []
    (finding,) = result.drift
    assert (finding.column, finding.kind, finding.changes_schema) == ("x", "replaced", False)
    assert house.warehouse("Anew", "x") == [(None,)]


class Versions(TypeTables):
    def config(self) -> PipelineConfig:
        table = SCDTableConfig(table_name="Anew", schema_name=self.schema, last_modified_column="Changed")
        return super().config().model_copy(update={"static_tables": (), "scd_tables": (table,)})


def test_versions_nobody_touched_get_the_values_of_a_column_that_was_added_again(
    server: Server, tmp_path: Path
) -> None:
    house: Any = Versions(server, tmp_path)
    house.create(
        "Anew",
        "k int NOT NULL, EffectiveDate datetime2(3) NOT NULL, EndDate datetime2(3) NULL, IsLatest bit NOT NULL, "
        "Changed datetime2(3) NOT NULL, x int NULL, PRIMARY KEY (k, EffectiveDate)",
    )
    for number in (1, 2):  # the first lies below what an increment reads again
        house.execute(
            f"INSERT INTO {{s}}.Anew VALUES ({number}, '202{number}-01-01', NULL, 1, '202{number}-01-01', 100)"
        )
    assert errors(house.run()) == []
    house.execute("ALTER TABLE {s}.Anew DROP COLUMN x")
    house.execute("ALTER TABLE {s}.Anew ADD x int NULL")
    house.execute("INSERT INTO {s}.Anew VALUES (3, '2023-01-01', NULL, 1, '2023-01-01', 7)")
    assert errors(house.run()) == []
    assert house.warehouse("Anew", "k, x", order="k") == [(1, None), (2, None), (3, 7)]
    assert differences(house) == []
    house.drop()
