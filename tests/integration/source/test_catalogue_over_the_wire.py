"""Facts as the server tells them."""

from __future__ import annotations

import pytest

from dltsync_core.config import PartitionTableConfig, StaticTableConfig
from dltsync_core.errors import ColumnNotFound, NotPartitioned, TableNotFound
from dltsync_core.extract.unit import UnitFilter
from tests.integration.source.source_tables import SourceTables


def test_the_database_says_what_it_is(tables: SourceTables) -> None:
    facts = tables.source().check()
    assert facts.database == tables.server.database
    assert int(facts.product_version.split(".")[0]) >= 12
    assert facts.compatibility_level >= 130


def test_columns_and_keys(tables: SourceTables) -> None:
    tables.table(
        "t",
        "id int IDENTITY(1,1) NOT NULL, code nvarchar(10) NOT NULL, amount decimal(12,2) NULL, "
        "at datetime2(3) NULL, rv rowversion, "
        "CONSTRAINT pk_{s} PRIMARY KEY (id, code), CONSTRAINT uq_{s} UNIQUE (code)",
    )
    config = StaticTableConfig(table_name="T", schema_name=tables.schema.upper())
    facts = tables.source().read_tables([config])[config.name]
    assert (facts.name.schema, facts.name.table) == (tables.schema, "t")
    assert [(c.name, c.type_name, c.max_length, c.precision, c.scale, c.is_nullable) for c in facts.columns] == [
        ("id", "int", 4, 10, 0, False),
        ("code", "nvarchar", 20, 0, 0, False),
        ("amount", "decimal", 9, 12, 2, True),
        ("at", "datetime2", 7, 23, 3, True),
        ("rv", "rowversion", 8, 0, 0, False),
    ]
    assert facts.columns[0].is_identity
    assert facts.primary_key == ("id", "code")
    assert sorted(facts.unique_keys) == [("code",), ("id", "code")]
    assert facts.partitioning is None


@pytest.mark.parametrize(
    ("declared", "boundaries", "keys"),
    [
        ("int", "-5, 10", ["-5", "10"]),
        ("bigint", "9223372036854775807", ["9223372036854775807"]),
        ("decimal(10,2)", "1.50", ["1.50"]),
        ("money", "1.2345", ["1.2345"]),
        ("date", "'2024-02-29'", ["2024-02-29"]),
        ("datetime", "'2024-01-01T00:00:00.003', '2024-01-02'", ["2024-01-01T00:00:00.003", "2024-01-02"]),
        ("smalldatetime", "'2024-01-01T10:30:00'", ["2024-01-01T10:30:00"]),
        ("datetime2(0)", "'2024-01-01'", ["2024-01-01"]),
        ("datetime2(7)", "'2024-01-01T00:00:00.1234567'", ["2024-01-01T00:00:00.1234567"]),
        ("datetimeoffset(3)", "'2024-01-01T00:00:00.123+02:00'", ["2024-01-01T00:00:00.123+02:00"]),
    ],
)
def test_boundaries_become_lossless_text_and_each_slot_finds_its_rows(
    tables: SourceTables, declared: str, boundaries: str, keys: list[str]
) -> None:
    tables.make(
        f"CREATE PARTITION FUNCTION pf_{{s}} ({declared}) AS RANGE RIGHT FOR VALUES ({boundaries})",
        "DROP PARTITION FUNCTION pf_{s}",
    )
    tables.make("CREATE PARTITION SCHEME ps_{s} AS PARTITION pf_{s} ALL TO ([PRIMARY])", "DROP PARTITION SCHEME ps_{s}")
    tables.table("t", f"c {declared} NULL, n int NOT NULL", "ON ps_{s}(c)")
    tables.run("INSERT INTO {s}.t VALUES (NULL, 0)")
    for boundary in boundaries.split(", "):
        tables.run(f"INSERT INTO {{s}}.t VALUES ({boundary}, 1)")
    config = PartitionTableConfig(table_name="t", schema_name=tables.schema, partition_column="C")
    source = tables.source()
    facts = source.read_tables([config])[config.name]
    assert facts.partitioning is not None
    ends = ["(-inf", *(f"[{key}" for key in keys)], [*keys, "+inf"]
    found = [slot.range.key for slot in facts.partitioning.slots]
    assert found == [f"{low},{high})" for low, high in zip(*ends, strict=True)]
    mapping = source.map_columns(facts, config)
    with source.read_view() as view:
        probes = view.probe_partitions(facts, mapping, config)
    assert [probes[slot.number].rows for slot in facts.partitioning.slots] == [1] * len(ends[1])


def test_left_and_right_and_the_rows_of_every_slot(tables: SourceTables) -> None:
    for side in ("LEFT", "RIGHT"):
        tables.make(
            f"CREATE PARTITION FUNCTION pf_{side}_{{s}} (int) AS RANGE {side} FOR VALUES (10, 20)",
            f"DROP PARTITION FUNCTION pf_{side}_{{s}}",
        )
        tables.make(
            f"CREATE PARTITION SCHEME ps_{side}_{{s}} AS PARTITION pf_{side}_{{s}} ALL TO ([PRIMARY])",
            f"DROP PARTITION SCHEME ps_{side}_{{s}}",
        )
        tables.table(f"t{side}", "c int NULL", f"ON ps_{side}_{{s}}(c)")
        for value in ("NULL", "9", "10", "11", "20", "21"):
            tables.run(f"INSERT INTO {{s}}.t{side} VALUES ({value})")
    expected = {
        "LEFT": [[None, 9, 10], [11, 20], [21]],
        "RIGHT": [[None, 9], [10, 11], [20, 21]],
    }
    for side, slots in expected.items():
        config = PartitionTableConfig(table_name=f"t{side}", schema_name=tables.schema)
        facts = tables.source().read_tables([config])[config.name]
        assert facts.partitioning is not None
        for slot, values in zip(facts.partitioning.slots, slots, strict=True):
            rows, _ = tables.read(config, UnitFilter(slot=slot, partitioning=facts.partitioning))
            assert sorted(rows.column("c").to_pylist(), key=lambda v: (v is not None, v)) == values


def test_what_is_not_there_is_told_with_the_nearest_name(tables: SourceTables) -> None:
    tables.table("airports", "faa int NOT NULL")
    source = tables.source()
    with pytest.raises(TableNotFound, match=f"did you mean {tables.schema}.airports"):
        source.read_tables([StaticTableConfig(table_name="airprots", schema_name=tables.schema)])
    with pytest.raises(ColumnNotFound, match="did you mean faa"):
        source.read_tables(
            [
                StaticTableConfig(
                    table_name="airports", schema_name=tables.schema, quality=[{"column": "fa", "unique": True}]
                )
            ]
        )
    with pytest.raises(NotPartitioned, match="is not on a partition scheme"):
        source.read_tables([PartitionTableConfig(table_name="airports", schema_name=tables.schema)])
