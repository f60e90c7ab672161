"""Types of a partition table become wider at the source, and its table in a SQL Server warehouse is partitioned."""

from __future__ import annotations

from dltsync_core.config import PartitionTableConfig
from tests.support.sqlserver_shop import SqlServerShop

WIDER = "OrderNo bigint NOT NULL, PlacedAt datetime2(3) NULL, Amount decimal(18,4) NOT NULL, Note nvarchar(200) NULL"


def test_the_table_is_made_anew_where_the_config_allows_it_and_the_other_partitions_are_not_read(
    house: SqlServerShop,
) -> None:
    house.overrides["partition_tables"] = [
        PartitionTableConfig(
            table_name="Orders",
            schema_name=house.schema,
            change_detection="last_modified",
            last_modified_column="PlacedAt",
        )
    ]
    assert house.run().success
    house.execute(f"CREATE TABLE {{s}}.New ({WIDER}) ON ps_{{s}}(PlacedAt)")
    house.execute("INSERT INTO {s}.New SELECT OrderNo, PlacedAt, Amount, Note FROM {s}.Orders")
    house.execute("INSERT INTO {s}.New VALUES (3000000000, '2026-03-07', 1.0001, N'far')")
    house.execute("DROP TABLE {s}.Orders")
    house.execute(f"CREATE TABLE {{s}}.Orders ({WIDER}) ON ps_{{s}}(PlacedAt)")
    house.execute("INSERT INTO {s}.Orders SELECT * FROM {s}.New")
    house.execute("DROP TABLE {s}.New")
    refused = house.run()
    assert not refused.success
    assert any("cannot be changed on a partitioned table" in error for error in refused["errors"]), refused["errors"]
    assert any("destination.changed_types: rebuild" in error for error in refused["errors"]), refused["errors"]

    house.settings["changed_types"] = "rebuild"
    result = house.run()
    assert result.success, result["errors"]
    assert any("is made anew, with its rows, for other types: " in note for note in result["notes"]), result["notes"]
    read = {unit.unit: unit.load_method for unit in result.units if unit.status == "committed"}
    assert read == {"[2026-03-01,+inf)": "switch"}
    assert sorted(house.warehouse_rows("Orders")) == sorted(house.source_rows("Orders"))
    assert house.leftovers() == []
    with house.pipeline() as pipeline:
        assert pipeline.validate_all_tables()["valid"]
    assert {unit.status for unit in house.run().units} == {"skipped"}
