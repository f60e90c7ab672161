"""Quality rules count the rows that break them, in the column's own type, over any number of files and batches."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dltsync_core.config.memory_budget import LEAST_SCRATCH
from dltsync_core.config.tables import QualityRule
from dltsync_core.errors import ColumnNotFound, ConfigError
from dltsync_core.validate.quality import RuleViolation, check_rules, resolve_rules, surplus_rows

FIELDS: list[pa.Field[Any]] = [
    pa.field("Code", pa.string()),
    pa.field("Qty", pa.int32()),
    pa.field("Price", pa.decimal128(19, 4)),
    pa.field("Day", pa.date32()),
    pa.field("At", pa.timestamp("ns")),
    pa.field("Opens", pa.time64("us")),
    pa.field("Big", pa.large_string()),
    pa.field("Active", pa.bool_()),
    pa.field("Rate", pa.float64()),
    pa.field("Hash", pa.binary()),
]
SCHEMA = pa.schema(FIELDS)


def row(**values: Any) -> dict[str, Any]:
    plain = {
        "Code": "a",
        "Qty": 1,
        "Price": Decimal("1.5000"),
        "Day": date(2026, 1, 15),
        "At": datetime(2026, 1, 15, 12),
        "Opens": time(9, 30),
        "Big": "long",
        "Active": True,
        "Rate": 0.5,
        "Hash": b"\x01\xff",
    }
    return {**plain, **values}


def findings(tmp_path: Path, rule: QualityRule, *files: list[dict[str, Any]]) -> list[tuple[str, int]]:
    paths = []
    for number, rows in enumerate(files):
        paths.append(tmp_path / f"{number}.parquet")
        pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), paths[-1], row_group_size=2)
    return [(f.rule, f.rows) for f in check_rules(resolve_rules([rule], SCHEMA), paths, LEAST_SCRATCH)]


@pytest.mark.parametrize(
    ("rule", "good", "bad", "text"),
    [
        (QualityRule(column="Qty", min=0), 0, -1, "must not be below 0"),
        (QualityRule(column="Qty", max=5), 5, 6, "must not be above 5"),
        (
            QualityRule(column="Price", max=Decimal("1.5001")),
            Decimal("1.5001"),
            Decimal("1.5002"),
            "must not be above 1.5001",
        ),
        (QualityRule(column="Price", min=1), Decimal("1.0000"), Decimal("0.9999"), "must not be below 1"),
        (QualityRule(column="Rate", max=0.5), 0.5, 0.75, "must not be above 0.5"),
        (
            QualityRule(column="Day", min="2026-01-01"),
            date(2026, 1, 1),
            date(2025, 12, 31),
            "must not be below 2026-01-01",
        ),
        (
            QualityRule(column="At", max="2026-01-15T12:00:00"),
            datetime(2026, 1, 15, 12),
            datetime(2026, 1, 15, 12, 0, 0, 1),
            "must not be above 2026-01-15T12:00:00",
        ),
        (QualityRule(column="Opens", min="09:30:00"), time(9, 30), time(9, 29, 59), "must not be below 09:30:00"),
        (QualityRule(column="Code", allowed=("a", "b")), "b", "B", "holds a value that is not allowed"),
        (QualityRule(column="Big", allowed=("x",)), "x", "y", "holds a value that is not allowed"),
        (QualityRule(column="Qty", allowed=(1, 2)), 2, 3, "holds a value that is not allowed"),
        (QualityRule(column="Active", allowed=(True,)), True, False, "holds a value that is not allowed"),
        (QualityRule(column="Hash", allowed=("0x01FF",)), b"\x01\xff", b"\x01", "holds a value that is not allowed"),
    ],
)
def test_a_bound_is_a_value_of_the_column(tmp_path: Path, rule: QualityRule, good: Any, bad: Any, text: str) -> None:
    column = rule.column
    rows = [row(**{column: good}), row(**{column: bad}), row(**{column: None}), row(**{column: bad})]
    assert findings(tmp_path, rule, rows) == [(text, 2)]
    assert findings(tmp_path, rule, [row(**{column: good}), row(**{column: None})]) == []


def test_null_only_matters_to_not_null(tmp_path: Path) -> None:
    assert findings(tmp_path, QualityRule(column="Code", not_null=True), [row(Code=None)] * 3) == [
        ("must not be NULL", 3)
    ]


def test_duplicates_are_counted_over_files_and_nulls_are_none(tmp_path: Path) -> None:
    files = [row(Code="a"), row(Code=None)], [row(Code="a"), row(Code=None), row(Code="b"), row(Code="a")]
    assert findings(tmp_path, QualityRule(column="Code", unique=True), *files) == [
        ("must be unique; beyond the first of each value", 2)
    ]


def test_one_rule_can_find_several_things(tmp_path: Path) -> None:
    rule = QualityRule(column="Qty", not_null=True, min=1, max=3)
    assert findings(tmp_path, rule, [row(Qty=None), row(Qty=0), row(Qty=9), row(Qty=2)]) == [
        ("must not be NULL", 1),
        ("must not be below 1", 1),
        ("must not be above 3", 1),
    ]


def test_no_rows_break_nothing(tmp_path: Path) -> None:
    rule = QualityRule(column="Qty", not_null=True, unique=True, min=1, max=3, allowed=(1,))
    assert findings(tmp_path, rule, []) == []


def test_a_column_is_found_whatever_its_case_and_a_misspelt_one_gets_the_nearest() -> None:
    (rule,) = resolve_rules([QualityRule(column="PRICE", min=0)], SCHEMA)
    assert rule.column == "Price"
    with pytest.raises(ColumnNotFound, match=r"'Prise'.*\n.*did you mean Price\?"):
        resolve_rules([QualityRule(column="Prise", min=0)], SCHEMA)


@pytest.mark.parametrize(
    "rule",
    [
        QualityRule(column="Qty", min="many"),
        QualityRule(column="Qty", max=1.5),
        QualityRule(column="Day", min="yesterday"),
        QualityRule(column="Opens", min="25:00"),
        QualityRule(column="Active", allowed=("yes",)),
        QualityRule(column="Qty", allowed=(True,)),
    ],
)
def test_a_bound_that_is_no_value_of_the_column_is_a_config_error(rule: QualityRule) -> None:
    with pytest.raises(ConfigError, match=f"compares {rule.column} "):
        resolve_rules([rule], SCHEMA)


def test_a_finding_reads_like_a_sentence() -> None:
    assert str(RuleViolation("Qty", "must not be NULL", 1, "error")) == "Qty: must not be NULL: 1 row"
    assert str(RuleViolation("Qty", "must not be NULL", 1200, "warn")) == "Qty: must not be NULL: 1,200 rows"


def test_surplus_counts_whole_keys_and_nulls_are_equal(tmp_path: Path) -> None:
    path = tmp_path / "keys.parquet"
    table = pa.table({"a": [1, 1, 1, None, None], "b": ["x", "y", "x", None, None], "c": [1, 2, 3, 4, 5]})
    pq.write_table(table, path)
    assert surplus_rows([path], ["a", "b"], LEAST_SCRATCH) == 2
    assert surplus_rows([path], ["c"], LEAST_SCRATCH) == 0


GUID = "6F9619FF-8B86-D011-B42D-00C04FC964FF"


def _typed(name: str, declared: str, *values: str | None) -> tuple[pa.Schema, pa.Table]:
    schema = pa.schema([pa.field(name, pa.string(), metadata={b"dltsync.sql_type": declared.encode()})])
    return schema, pa.table({name: list(values)}, schema=schema)


def _strangers(tmp_path: Path, declared: str, allowed: list[Any], *values: str | None) -> int:
    schema, table = _typed("C", declared, *values)
    pq.write_table(table, tmp_path / "typed.parquet")
    rules = resolve_rules([QualityRule(column="c", allowed=allowed)], schema)
    return sum(finding.rows for finding in check_rules(rules, [tmp_path / "typed.parquet"], LEAST_SCRATCH))


def test_a_uniqueidentifier_is_compared_in_either_case(tmp_path: Path) -> None:
    """The column holds capitals, as the server writes them; a rule in small letters never matched."""
    for written in (GUID, GUID.lower(), "{" + GUID.lower() + "}"):
        assert _strangers(tmp_path, "uniqueidentifier", [written], GUID, None) == 0
        assert _strangers(tmp_path, "uniqueidentifier", [written], GUID.replace("6", "7"), GUID) == 1
    with pytest.raises(ConfigError, match="which is not a uniqueidentifier") as caught:
        _strangers(tmp_path, "uniqueidentifier", ["abc"], GUID)
    assert "32 hexadecimal digits" in caught.value.remedy


def test_rules_hold_for_a_column_of_uuids(tmp_path: Path) -> None:
    schema = pa.schema([pa.field("C", pa.uuid(), metadata={b"dltsync.sql_type": b"uniqueidentifier"})])
    values = [UUID(GUID).bytes, UUID(int=0).bytes, UUID(int=0).bytes, None]
    table = pa.table({"C": pa.array(values, pa.binary(16)).cast(pa.uuid())}, schema=schema)
    pq.write_table(table, tmp_path / "uuids.parquet")

    def broken(**rule: Any) -> dict[str, int]:
        rules = resolve_rules([QualityRule(column="c", **rule)], schema)
        return {found.rule: found.rows for found in check_rules(rules, [tmp_path / "uuids.parquet"], LEAST_SCRATCH)}

    assert broken(allowed=[GUID.lower(), "{" + str(UUID(int=0)) + "}"]) == {}
    assert broken(allowed=[GUID]) == {"holds a value that is not allowed": 2}
    assert broken(not_null=True, unique=True) == {
        "must not be NULL": 1,
        "must be unique; beyond the first of each value": 1,
    }
    assert broken(min="00000000-0000-0000-0000-000000000001") == {
        "must not be below 00000000-0000-0000-0000-000000000001": 2
    }
    for wrong in ("abc", 7, True):
        with pytest.raises(ConfigError, match="a quality rule compares C"):
            broken(allowed=[wrong])


@pytest.mark.parametrize("declared", ["char(5)", "nchar(5)"])
def test_a_text_of_fixed_length_is_compared_without_the_blanks_at_its_end(tmp_path: Path, declared: str) -> None:
    assert _strangers(tmp_path, declared, ["NO", "SE   "], "NO   ", "SE   ", "DK   ") == 1
    assert _strangers(tmp_path, "varchar(5)", ["NO"], "NO", "NO ") == 1


def test_a_number_with_a_fraction_says_quotes_for_a_text(tmp_path: Path) -> None:
    """1.10 without quotes is 1.1, and would never match."""
    with pytest.raises(ConfigError, match=r"C \(varchar\(9\)\) with a number") as caught:
        _strangers(tmp_path, "varchar(9)", [1.1], "1.10")
    assert "put it in quotes" in caught.value.remedy
    assert _strangers(tmp_path, "varchar(9)", [12], "12") == 0


def test_true_and_false_say_quotes_for_a_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="bit columns are compared with true and false") as caught:
        _strangers(tmp_path, "varchar(9)", [False], "false")
    assert "put it in quotes" in caught.value.remedy
