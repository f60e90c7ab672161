"""Histories in a SQL Server warehouse: what arrives late, what is repaired, and what is the source's own fault."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.sqlserver_shop import SqlServerShop


def repaired(shop: SqlServerShop, **options: Any) -> dict[str, Any]:
    with shop.pipeline() as pipeline:
        return pipeline.scd_handler.repair_scd_integrity(f"{shop.schema}.Customers", **options)


def test_a_version_that_arrives_late_takes_its_place(loaded: SqlServerShop) -> None:
    loaded.execute("UPDATE {s}.Customers SET EffectiveDate = '2026-01-04', Changed = '2026-02-02' WHERE CustomerNo = 2")
    loaded.add_version(2, "2026-01-01", "B", "2026-02-01T09:00:00.0000001", end="2026-01-04", latest=False)
    result = loaded.run()
    assert result.success, result["errors"]
    loaded.assert_same()
    assert repaired(loaded)["valid"] is True


@pytest.mark.survives(
    "warehouse",
    "versions of a SQL Server warehouse are changed by hand",
    "`dltsync repair` sets them to what the source said at the last load, in one transaction",
    "the source's history",
)
def test_what_only_the_warehouse_has_wrong_becomes_what_the_source_said(loaded: SqlServerShop) -> None:
    loaded.target_query("UPDATE warehouse.Customers SET IsLatest = 1, EndDate = NULL WHERE CustomerNo = 1")
    report = repaired(loaded)
    assert {finding["origin"] for finding in report["findings"]} == {"warehouse"}
    assert (report["applied"], report["notes"][:1]) == (0, ["open versions end in NULL in EndDate"])
    assert repaired(loaded, dry_run=False)["applied"] == 1
    loaded.assert_same()
    assert repaired(loaded)["valid"] is True
    assert loaded.leftovers() == []


def test_what_the_source_has_wrong_is_repaired_on_request_only(loaded: SqlServerShop) -> None:
    loaded.add_version(2, "2026-02-01", "Bob", "2026-02-01T09:00:00")  # the version before it stays open
    assert loaded.run().success
    assert repaired(loaded, dry_run=False)["applied"] == 0
    report = repaired(loaded, dry_run=False, including_source_faults=True)
    assert {finding["origin"] for finding in report["findings"]} == {"source"}
    assert report["applied"] == 1
    versions = loaded.target_query(
        "SELECT IsLatest, CONVERT(varchar(10), EndDate, 23) FROM warehouse.Customers WHERE CustomerNo = 2 ORDER BY "
        "EffectiveDate"
    )
    assert versions == [(False, "2026-02-01"), (True, None)]
