"""Two partition tables of a shop, for windows that slide over them: one by an int, one by a date."""

from __future__ import annotations

from dltsync_core.config import PartitionTableConfig
from dltsync_core.config.retention import Retention
from tests.support.sqlserver_shop import TARGET_SCHEMA, SqlServerShop

INTS, DATES = "Readings", "Visits"


def drop_tables(house: SqlServerShop) -> None:
    for table, letter in ((INTS, "i"), (DATES, "d")):
        house.execute(f"DROP TABLE {{s}}.{table}")
        house.execute(f"DROP PARTITION SCHEME s{letter}_{{s}}")
        house.execute(f"DROP PARTITION FUNCTION p{letter}_{{s}}")


def make_tables(house: SqlServerShop, side: str) -> None:
    """Readings by an int, Visits by a date, each with six partitions and a row in every one but the last,
    which is for the future."""
    house.execute(f"CREATE PARTITION FUNCTION pi_{{s}} (int) AS RANGE {side} FOR VALUES (10, 20, 30, 40, 50)")
    house.execute("CREATE PARTITION SCHEME si_{s} AS PARTITION pi_{s} ALL TO ([PRIMARY])")
    house.execute("CREATE TABLE {s}.Readings (N int NOT NULL, V varchar(20) NULL) ON si_{s}(N)")
    house.execute(
        f"CREATE PARTITION FUNCTION pd_{{s}} (date) AS RANGE {side} FOR VALUES "
        "('2024-01-01', '2024-02-01', '2024-03-01', '2024-04-01', '2024-05-01')"
    )
    house.execute("CREATE PARTITION SCHEME sd_{s} AS PARTITION pd_{s} ALL TO ([PRIMARY])")
    house.execute("CREATE TABLE {s}.Visits (Day date NOT NULL, V varchar(20) NULL) ON sd_{s}(Day)")
    for month in range(5):
        house.execute("INSERT INTO {s}.Readings VALUES (?, 'a'), (?, 'b')", month * 10 + 5, month * 10 + 6)
        day = f"2024-{month:02d}-15" if month else "2023-12-15"
        house.execute("INSERT INTO {s}.Visits VALUES (?, 'x')", day)


def use(house: SqlServerShop, ints: Retention | None = None, dates: Retention | None = None) -> None:
    house.overrides["partition_tables"] = [
        PartitionTableConfig(table_name=INTS, schema_name=house.schema, retention=ints),
        PartitionTableConfig(table_name=DATES, schema_name=house.schema, retention=dates),
    ]
    house.overrides["scd_tables"] = house.overrides["static_tables"] = []


def numbers(house: SqlServerShop) -> list[int]:
    return sorted(n for (n,) in house.target_query(f"SELECT N FROM {TARGET_SCHEMA}.{INTS}"))


def days(house: SqlServerShop) -> list[str]:
    return sorted(str(day) for (day,) in house.target_query(f"SELECT Day FROM {TARGET_SCHEMA}.{DATES}"))


def boundaries(house: SqlServerShop, table: str) -> list[str]:
    """Of the target's partition function."""
    found = house.target_query(
        "SELECT CONVERT(varchar(30), CONVERT(nvarchar(30), r.value)) FROM sys.partition_range_values AS r JOIN "
        "sys.partition_functions AS f ON f.function_id = r.function_id JOIN sys.partition_schemes AS s ON "
        "s.function_id = f.function_id JOIN sys.indexes AS i ON i.data_space_id = s.data_space_id "
        f"WHERE i.object_id = OBJECT_ID(N'{TARGET_SCHEMA}.{table}') AND i.index_id IN (0, 1) ORDER BY r.boundary_id"
    )
    return [text for (text,) in found]


def markers(house: SqlServerShop, table: str) -> int:
    ((count,),) = house.target_query("SELECT COUNT(*) FROM _dltsync.markers WHERE target_table = ?", table.casefold())
    return int(count)


def change(house: SqlServerShop, statement: str) -> None:
    """Boundaries of Readings at the source."""
    house.execute("ALTER PARTITION SCHEME si_{s} NEXT USED [PRIMARY]")
    house.execute(f"ALTER PARTITION FUNCTION pi_{{s}}() {statement}")


def assert_settled(house: SqlServerShop, *said: object) -> None:
    """The next run reads nothing, and all places agree."""
    again = house.run()
    assert {unit.status for unit in again.units} == {"skipped"}, said
    assert (again.removed, again["total_records"]) == ((), 0), said
    with house.pipeline() as pipeline:
        assert pipeline.validate_all_tables()["valid"], said
        assert pipeline.recover(dry_run=True)["agreed"], said
    assert house.leftovers() == [], said
