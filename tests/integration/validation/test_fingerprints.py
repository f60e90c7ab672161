"""The fingerprint sees what rows, sums and NULLs do not: every value, in the row and the column where it belongs."""

from __future__ import annotations

import pytest

from dltsync_core.errors import ConfigError
from tests.integration.validation.loaded import LoadedShop
from tests.support.type_tables import TypeTables

UNSEEN_BY_SUMS = {
    "two values that changed rows": (
        "UPDATE warehouse.Orders SET Amount = CASE OrderNo WHEN 201 THEN 2020 ELSE 2010 END WHERE OrderNo IN (201, 202)",
        "Orders",
        "[2026-03-01,+inf)",
    ),
    "a blank at the end": ("UPDATE warehouse.Countries SET Name = Name || ' ' WHERE Code = 'FR'", "Countries", "all"),
    "case": ("UPDATE warehouse.Customers SET Name = upper(Name) WHERE CustomerNo = 2", "Customers", "all"),
    "one row doubled and another one gone": (
        "UPDATE warehouse.Countries SET Code = 'JP', Name = '日本', Area = 377975 WHERE Code = 'FR'",
        "Countries",
        "all",
    ),
}


@pytest.mark.parametrize("name", UNSEEN_BY_SUMS)
def test_a_change_that_keeps_every_sum_is_seen(synced: LoadedShop, name: str) -> None:
    statement, table, unit = UNSEEN_BY_SUMS[name]
    synced.warehouse(statement)
    found = synced.messages(fingerprint="sha256")
    assert set(found) == {table}
    assert found[table][-1] == f"{unit}: the rows of the warehouse have another fingerprint than the source's"


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_what_nobody_touched_has_the_same_fingerprint_everywhere(synced: LoadedShop, algorithm: str) -> None:
    assert synced.messages(fingerprint=algorithm) == {}


def test_checksum_is_refused_with_the_reason(synced: LoadedShop) -> None:
    with pytest.raises(ConfigError, match="no other program computes it"):
        synced.report(fingerprint="checksum")


def test_columns_without_a_twin_are_named_and_the_others_compared(types: TypeTables) -> None:
    types.create(
        "Facts",
        "id int NOT NULL PRIMARY KEY, at_utc datetimeoffset(3) NULL, until_utc datetimeoffset(3) NULL, raw nvarchar(20) NULL, "
        "note nvarchar(20) NULL",
        column_representation={"at_utc": "utc", "until_utc": "utc", "raw": "bytes"},
    )
    types.create("Plain", "id int NOT NULL PRIMARY KEY")
    types.execute("INSERT INTO {s}.Facts VALUES (1, '2013-01-01T10:00:00.5 +02:00', NULL, N'ä', N'b')")
    assert types.run().success
    with types.pipeline() as pipeline:
        report = pipeline.validate_all_tables(fingerprint="sha256")
        without = pipeline.validate_all_tables()
        plans = pipeline.plan()
    assert report["valid"]
    said = (
        "the fingerprint leaves out at_utc, until_utc (the offset of a datetimeoffset with representation utc is not in "
        "the lake); "
        "raw (its text is in the lake as bytes)"
    )
    assert {table["table"].split(".")[1]: table["notes"] for table in report["tables"]} == {
        "Facts": [said],
        "Plain": [],
    }
    assert [table["notes"] for table in without["tables"]] == [[], []], "only where a fingerprint was asked for"
    # The server's own fingerprint, by which a plan decides, covers every column: there is nothing to say.
    assert [note for plan in plans for note in plan.notes if "fingerprint" in note] == []
