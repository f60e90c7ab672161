"""The shop with change columns of other kinds."""

from __future__ import annotations

from dltsync_core.config import PartitionTableConfig
from dltsync_core.run.result import RunResult, UnitResult
from tests.support.server_shop import ServerShop

INSERTED = "CustomerNo, EffectiveDate, EndDate, IsLatest, Name, Changed"


class StampedShop(ServerShop):
    """The shop with other stamps: Orders has some that are NULL, those of Customers are of the type `stamp`."""

    stamp = "datetime2(7) NULL"

    def create(self) -> None:
        super().create()
        self.execute("ALTER TABLE {s}.Orders ADD Changed datetime2(3) NULL")
        self.execute("DROP TABLE {s}.Customers")
        self.execute(
            "CREATE TABLE {s}.Customers (CustomerNo int NOT NULL, EffectiveDate datetime2(3) NOT NULL, "
            f"EndDate datetime2(3) NULL, IsLatest bit NOT NULL, Name nvarchar(100) NULL, Changed {self.stamp}, "
            "CONSTRAINT pk_{s}_c PRIMARY KEY (CustomerNo, EffectiveDate))"
        )
        for key, since, latest, name, changed in (
            (1, "2026-01-01", 0, "Ann", "2026-01-01T08:00:00"),
            (1, "2026-01-05", 1, "Anne", "2026-01-05T08:00:00"),
            (2, "2026-01-02", 1, "Bob", "2026-01-02T08:00:00"),
        ):
            stamp = "" if self.stamp == "rowversion" else f", '{changed}'"
            self.execute(
                f"INSERT INTO {{s}}.Customers ({INSERTED if stamp else INSERTED[:-9]}) VALUES "
                f"({key}, '{since}', NULL, {latest}, N'{name}'{stamp})"
            )
        self.execute("UPDATE {s}.Orders SET Changed = '2026-03-06T10:00:00' WHERE OrderNo % 2 = 0")
        self.configure()

    def configure(self) -> None:
        self.overrides["partition_tables"] = [
            PartitionTableConfig(
                table_name="Orders",
                schema_name=self.schema,
                change_detection="last_modified",
                last_modified_column="Changed",
            )
        ]


def only(result: RunResult, table: str) -> UnitResult:
    """The one unit of a table that was not left alone."""
    assert result.success, result["errors"]
    (unit,) = [unit for unit in result.units if unit.table.table == table and unit.status == "committed"]
    return unit


def one_run_later(shop: ServerShop, table: str, *statements: str) -> UnitResult:
    """What the run after these changes does with the table; the next one leaves it alone."""
    for statement in statements:
        shop.execute(statement)
    unit = only(shop.run(table_names=[table]), table)
    shop.assert_same([table])
    assert [u.status for u in shop.run(table_names=[table]).units if u.unit == unit.unit] == ["skipped"]
    return unit
