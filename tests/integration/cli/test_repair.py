"""`dltsync repair` tells entities apart as the source's collation does, and leaves alone where only the server could tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from tests.integration.cli.project import Project

Version = tuple[str, str, str | None, bool]
"""Key, start, end, latest."""


def loaded(project: Project, collation: str, *versions: Version) -> None:
    """A history at the source, its key under that collation, brought into the warehouse."""
    shop = project.shop
    shop.execute(
        f"CREATE TABLE {{s}}.Accounts (Account nvarchar(20) COLLATE {collation} NOT NULL, Since datetime2(3) NOT NULL, "
        "EndDate datetime2(3) NULL, IsLatest bit NOT NULL, Changed datetime2(7) NOT NULL)"
    )
    for key, start, end, latest in versions:
        shop.execute(
            "INSERT INTO {s}.Accounts (Account, Since, EndDate, IsLatest, Changed) VALUES "
            "(?, CAST(? AS datetime2(3)), CAST(? AS datetime2(3)), ?, CAST(? AS datetime2(7)))",
            *(key, start, end, latest, start),
        )
    project.values |= {
        "partition_tables": [],
        "static_tables": [],
        "scd_tables": [
            {
                "table_name": "Accounts",
                "schema_name": shop.schema,
                "business_key_columns": ["Account"],
                "effective_date_column": "Since",
                "last_modified_column": "Changed",
            }
        ],
    }
    ended, result = project.json("run")
    assert (ended.status, result["success"]) == (0, True), ended.stderr


@pytest.fixture(autouse=True)
def cleared(project: Project) -> Iterator[None]:
    """The schema is dropped when the test ends."""
    yield
    project.shop.execute("DROP TABLE IF EXISTS {s}.Accounts")


def repaired(project: Project, *arguments: str) -> dict[str, Any]:
    ended, report = project.json("repair", "Accounts", *arguments)
    assert ended.status == 0, ended.stderr
    return report


def history(project: Project) -> list[Version]:
    with duckdb.connect(str(project.root / "house.duckdb"), read_only=True) as connection:
        found = connection.execute("SELECT table_schema FROM information_schema.tables WHERE table_name = 'Accounts'")
        (schema,) = found.fetchone() or ("",)
        return connection.execute(
            f'SELECT "Account", CAST(CAST("Since" AS DATE) AS VARCHAR), CAST(CAST("EndDate" AS DATE) AS VARCHAR), '
            f'"IsLatest" FROM "{schema}"."Accounts" ORDER BY "Since", "Account"'
        ).fetchall()


def test_spellings_of_one_entity_are_one_history(project: Project) -> None:
    """Under a case-insensitive collation acme, ACME and 'acme ' are one: no version lacks a successor or an end."""
    loaded(
        project,
        "SQL_Latin1_General_CP1_CI_AS",
        ("acme", "2026-01-01", "2026-01-05", False),
        ("ACME", "2026-01-05", "2026-01-07", False),
        ("Acme ", "2026-01-07", None, True),
    )
    assert repaired(project)["findings"] == []


def test_a_version_ends_where_another_spelling_begins(project: Project) -> None:
    loaded(
        project,
        "Latin1_General_CI_AS",
        ("acme", "2026-01-01", None, False),
        ("ACME", "2026-01-03", "2026-01-05", False),
        ("acme ", "2026-01-05", None, True),
    )
    report = repaired(project, "--apply")
    assert (report["counts"], report["applied"]) == ({"superseded_but_open": 1}, 1)
    assert history(project)[0] == ("acme", "2026-01-01", "2026-01-03", False)
    assert repaired(project)["valid"] is True


def test_case_makes_another_entity_where_the_collation_says_so(project: Project) -> None:
    loaded(
        project,
        "Latin1_General_100_BIN2",
        ("acme", "2026-01-01", None, True),
        ("ACME", "2026-01-03", None, True),
        ("Acmé", "2026-01-03", None, True),
    )
    report = repaired(project)
    assert (report["valid"], report["findings"]) == (True, [])


def test_what_only_the_server_could_tell_is_reported_and_never_touched(project: Project) -> None:
    """ß and ss are one in most collations, in some they are not: neither grouping may be taken for true."""
    loaded(
        project,
        "Latin1_General_CI_AS",
        ("Straße", "2026-01-01", None, True),
        ("Strasse", "2026-01-05", None, False),
        ("other", "2026-01-05", None, False),
    )
    before = history(project)
    report = repaired(project, "--apply")
    assert report["counts"] == {"spelt_differently": 1, "no_latest": 1, "open_but_not_latest": 1}
    (finding,) = (f for f in report["findings"] if f["kind"] == "spelt_differently")
    assert "'Strasse', 'Straße'" in finding["detail"]
    assert "may be one entity under the collation Latin1_General_CI_AS of Account" in finding["detail"]
    assert [change["key"] for change in report["changes"]] == [{"Account": "other"}]
    assert [row for row in history(project) if row[0] != "other"] == [row for row in before if row[0] != "other"]


def test_without_the_server_the_collation_is_not_guessed(project: Project) -> None:
    """A repair needs no server, as before; what its collation would decide is left alone, and the report says why."""
    loaded(
        project,
        "Latin1_General_CI_AS",
        ("acme", "2026-01-01", None, False),
        ("ACME", "2026-01-03", None, True),
        ("other", "2026-01-05", None, True),
        ("other ", "2026-01-06", None, True),
    )
    project.values["database"]["port"] = 1
    report = repaired(project, "--apply")
    assert report["counts"]["spelt_differently"] == 1
    assert {change["key"]["Account"] for change in report["changes"]} == {"other"}, "blanks at the end never count"
    assert any("the collation of Account is not known" in note for note in report["notes"])
