"""`dltsync repair` tells entities apart as the source's collation does, and leaves alone where only the server could tell."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from tests.support.cli_project import CliProject

Version = tuple[str, str, str | None, bool]
"""Key, start, end, latest."""


def loaded(project: CliProject, collation: str, *versions: Version) -> None:
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
def cleared(project: CliProject) -> Iterator[None]:
    """The schema is dropped when the test ends."""
    yield
    project.shop.execute("DROP TABLE IF EXISTS {s}.Accounts")


ALL = ("--apply", "--including-source-faults")
"""Histories that are wrong at the source are repaired in the warehouse only when that is asked for."""


def repaired(project: CliProject, *arguments: str) -> dict[str, Any]:
    """The report. The exit code says whether anything is still to be repaired."""
    ended, report = project.json("repair", "Accounts", *arguments)
    left = report["findings"] if report["dry_run"] else [f for f in report["findings"] if not f["repaired"]]
    assert ended.status == (12 if left else 0), ended.stderr
    assert report["remaining"] == sum(not finding["repaired"] for finding in report["findings"])
    return report


def spoil(project: CliProject, assignment: str, key: str, start: str) -> None:
    """What somebody does to the warehouse alone."""
    with duckdb.connect(str(project.root / "house.duckdb")) as connection:
        changed = connection.execute(
            f'UPDATE warehouse."Accounts" SET {assignment} WHERE "Account" = ? AND "Since" = CAST(? AS TIMESTAMP)',
            [key, start],
        ).fetchone()
        assert changed == (1,)


def origins(report: dict[str, Any]) -> set[tuple[str, str]]:
    return {(finding["key"]["Account"], finding["origin"]) for finding in report["findings"]}


def valid(project: CliProject) -> bool:
    return project.call("validate", "--tables", "Accounts").status == 0


def history(project: CliProject) -> list[Version]:
    with duckdb.connect(str(project.root / "house.duckdb"), read_only=True) as connection:
        found = connection.execute("SELECT table_schema FROM information_schema.tables WHERE table_name = 'Accounts'")
        (schema,) = found.fetchone() or ("",)
        return connection.execute(
            f'SELECT "Account", CAST(CAST("Since" AS DATE) AS VARCHAR), CAST(CAST("EndDate" AS DATE) AS VARCHAR), '
            f'"IsLatest" FROM "{schema}"."Accounts" ORDER BY "Since", "Account"'
        ).fetchall()


def test_spellings_of_one_entity_are_one_history(project: CliProject) -> None:
    """Under a case-insensitive collation acme, ACME and 'acme ' are one: no version lacks a successor or an end."""
    loaded(
        project,
        "SQL_Latin1_General_CP1_CI_AS",
        ("acme", "2026-01-01", "2026-01-05", False),
        ("ACME", "2026-01-05", "2026-01-07", False),
        ("Acme ", "2026-01-07", None, True),
    )
    assert repaired(project)["findings"] == []


def test_a_version_ends_where_another_spelling_begins(project: CliProject) -> None:
    loaded(
        project,
        "Latin1_General_CI_AS",
        ("acme", "2026-01-01", None, False),
        ("ACME", "2026-01-03", "2026-01-05", False),
        ("acme ", "2026-01-05", None, True),
    )
    report = repaired(project, *ALL)
    assert (report["counts"], report["applied"]) == ({"superseded_but_open": 1}, 1)
    assert history(project)[0] == ("acme", "2026-01-01", "2026-01-03", False)
    assert repaired(project)["valid"] is True


def test_case_makes_another_entity_where_the_collation_says_so(project: CliProject) -> None:
    loaded(
        project,
        "Latin1_General_100_BIN2",
        ("acme", "2026-01-01", None, True),
        ("ACME", "2026-01-03", None, True),
        ("Acmé", "2026-01-03", None, True),
    )
    report = repaired(project)
    assert (report["valid"], report["findings"]) == (True, [])


def test_what_only_the_server_could_tell_is_reported_and_never_touched(project: CliProject) -> None:
    """ß and ss are one in most collations, in some they are not: neither grouping may be taken for true."""
    loaded(
        project,
        "Latin1_General_CI_AS",
        ("Straße", "2026-01-01", None, True),
        ("Strasse", "2026-01-05", None, False),
        ("other", "2026-01-05", None, False),
    )
    before = history(project)
    report = repaired(project, *ALL)
    assert report["counts"] == {"possible_same_key": 1, "no_latest": 1, "open_but_not_latest": 1}
    (finding,) = (f for f in report["findings"] if f["kind"] == "possible_same_key")
    assert "'Strasse', 'Straße'" in finding["detail"]
    assert "may be one entity under the collation Latin1_General_CI_AS of Account" in finding["detail"]
    assert [change["key"] for change in report["changes"]] == [{"Account": "other"}]
    assert [row for row in history(project) if row[0] != "other"] == [row for row in before if row[0] != "other"]


def test_the_server_decides_which_keys_are_one(project: CliProject) -> None:
    """Case beyond ASCII is in no documented table: a version ends where the server says that its entity goes on."""
    loaded(
        project,
        "Latin1_General_CI_AS",
        ("Né", "2026-01-01", None, False),
        ("né", "2026-01-05", None, True),
    )
    report = repaired(project, *ALL)
    assert (report["counts"], report["applied"]) == ({"superseded_but_open": 1}, 1)
    assert history(project)[0] == ("Né", "2026-01-01", "2026-01-05", False)


def test_without_the_server_the_collation_is_not_guessed(project: CliProject) -> None:
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
    report = repaired(project, *ALL)
    assert report["counts"]["possible_same_key"] == 1
    assert {change["key"]["Account"] for change in report["changes"]} == {"other"}, "blanks at the end never count"
    assert any("the collation of Account is not known" in note for note in report["notes"])


OPEN_TWICE = (("open twice", "2026-01-01", None, True), ("open twice", "2026-01-09", None, True))
SOUND = (("sound", "2026-01-01", "2026-01-05", False), ("sound", "2026-01-05", None, True))
GAP = (("gap", "2026-01-01", "2026-01-05", False), ("gap", "2026-01-07", None, True))


def test_what_the_source_has_wrong_is_left_to_the_source(project: CliProject) -> None:
    """A repair of it would be a difference for validation, and the next load would undo it."""
    loaded(project, "Latin1_General_BIN2", *OPEN_TWICE, *SOUND)
    before = history(project)
    for arguments in ((), ("--apply",)):
        report = repaired(project, *arguments)
        assert origins(report) == {("open twice", "source")}
        assert (report["changes"], report["applied"], report["remaining"]) == ([], 0, len(report["findings"]))
        assert all("at the source, then `dltsync run`" in finding["remedy"] for finding in report["findings"])
    assert history(project) == before
    assert valid(project)


def test_what_the_source_has_wrong_is_mended_on_demand_and_the_price_is_told(project: CliProject) -> None:
    loaded(project, "Latin1_General_BIN2", *OPEN_TWICE, *SOUND)
    report = repaired(project, *ALL)
    assert (report["applied"], report["remaining"]) == (1, 0)
    assert all("a load of all rows undoes the repair" in finding["remedy"] for finding in report["findings"])
    assert history(project)[0] == ("open twice", "2026-01-01", "2026-01-09", False)
    assert repaired(project)["findings"] == []
    assert not valid(project)
    assert project.call("run", "--full-refresh").status == 0
    assert origins(repaired(project)) == {("open twice", "source")}


def test_what_only_the_warehouse_has_wrong_becomes_what_the_source_said(project: CliProject) -> None:
    loaded(project, "Latin1_General_BIN2", *OPEN_TWICE, *SOUND, *GAP)
    before = history(project)
    spoil(project, '"IsLatest" = true', "sound", "2026-01-01")
    spoil(project, "\"EndDate\" = TIMESTAMP '2026-01-20'", "gap", "2026-01-01")
    shown = repaired(project)
    assert origins(shown) == {("open twice", "source"), ("sound", "warehouse"), ("gap", "warehouse")}
    assert not any(finding["remedy"] for finding in shown["findings"] if finding["repaired"])
    report = repaired(project, "--apply")
    assert {change["key"]["Account"] for change in report["changes"]} == {"sound", "gap"}
    assert history(project) == before, "the end that was before, not the start of the next version"
    assert valid(project)
    assert origins(repaired(project)) == {("open twice", "source"), ("gap", "source")}


def test_a_version_that_only_the_warehouse_has_is_told_and_not_made_to_fit(project: CliProject) -> None:
    loaded(project, "Latin1_General_BIN2", *SOUND)
    with duckdb.connect(str(project.root / "house.duckdb")) as connection:
        connection.execute(
            'INSERT INTO warehouse."Accounts" BY NAME SELECT * REPLACE (TIMESTAMP \'2026-01-03\' AS "Since") '
            'FROM warehouse."Accounts" WHERE "IsLatest"'
        )
    before = history(project)
    report = repaired(project, "--apply")
    assert origins(report) == {("sound", "warehouse")}
    assert all("--full-refresh` loads the table again" in finding["remedy"] for finding in report["findings"])
    assert history(project) == before
    assert project.call("run", "--full-refresh").status == 0
    assert repaired(project)["findings"] == []


def test_without_the_lake_nobody_knows_whose_fault_it_is(project: CliProject) -> None:
    loaded(project, "Latin1_General_BIN2", *OPEN_TWICE, *SOUND)
    spoil(project, '"IsLatest" = true', "sound", "2026-01-01")
    shutil.rmtree(project.root / "lake")
    before = history(project)
    report = repaired(project, "--apply")
    assert origins(report) == {("open twice", "unknown"), ("sound", "unknown")}
    assert any("is not known: the lake holds no history" in note for note in report["notes"])
    assert history(project) == before
    assert repaired(project, *ALL)["remaining"] == 0


def test_a_person_gets_a_table_and_json_only_when_asked(project: CliProject) -> None:
    loaded(project, "Latin1_General_BIN2", *OPEN_TWICE, *SOUND)
    spoil(project, '"IsLatest" = true', "sound", "2026-01-01")
    told = project.call("repair", "Accounts")
    text = " ".join(told.stdout.split())
    assert told.status == 12
    assert not told.stdout.lstrip().startswith("{")
    assert "key fault origin" in text
    assert "correct these rows of" in text
    assert f"-> dltsync repair {project.shop.schema}.Accounts --apply" in text
    assert project.call("repair", "Accounts", "--apply").status == 12, "the source's are left"
    help_text = " ".join(project.call("repair", "--help").stdout.split())
    assert "Exit code 12 when findings are left that were not repaired" in help_text
