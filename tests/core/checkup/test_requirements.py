"""From what a server answers to what is missing, and the statement that grants it. Pure."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from dltsync_core.catalog.facts import DatabaseFacts
from dltsync_core.catalog.support import Server
from dltsync_core.checkup.machine import LITTLE_ROOM, driver_requirements, room_requirements
from dltsync_core.checkup.permissions import (
    TABLE_RIGHTS,
    Access,
    WarehouseNeeds,
    source_questions,
    source_requirements,
    warehouse_questions,
    warehouse_requirements,
)
from dltsync_core.checkup.requirement import Requirement, exit_code_of, missing, not_granted, ok, warning
from dltsync_core.checkup.source import encryption_requirement, snapshot_requirements
from dltsync_core.cli.check import print_requirements
from dltsync_core.config import DatabaseConfig, PipelineConfig
from dltsync_core.errors import DriverMissing, LoginFailed, TableNotFound
from dltsync_core.identity import TableName
from dltsync_core.tsql.permissions import OnDatabase, OnSchema, OnServer, OnTable, Question, grant

ORDERS, ITEMS, PEOPLE = TableName("sales", "Orders"), TableName("sales", "Order Items"), TableName("hr", "People]")
GOLDEN = Path(__file__).parents[2] / "golden" / "check_80_columns.txt"


def access(questions: list[Question], *lacking: Question, unseen: tuple[Question, ...] = ()) -> Access:
    """Everything that was asked is held, but for these."""
    held: dict[Question, bool | None] = dict.fromkeys(questions, True)
    return Access("login", "me", {**held, **dict.fromkeys(lacking, False), **dict.fromkeys(unseen, None)})


def statements(found: list[Requirement]) -> list[str]:
    return [one.statement for one in found if one.status == "missing"]


# ---- the source --------------------------------------------------------------------------------------------------
READ = [ORDERS, ITEMS, PEOPLE]
DEFINITIONS = (Question(OnDatabase(), "VIEW DEFINITION"), Question(OnDatabase(), "VIEW SECURITY DEFINITION"))


def test_a_reader_with_everything_lacks_nothing() -> None:
    found = source_requirements(access(source_questions(READ)), READ)
    assert [(one.status, one.message) for one in found] == [("ok", "may read 3 tables as me")]


def test_select_is_granted_on_the_schema_of_the_tables_that_lack_it() -> None:
    lacking = [Question(OnTable(n), "SELECT") for n in (ORDERS, ITEMS)] + [Question(OnSchema("sales"), "SELECT")]
    found = source_requirements(access(source_questions(READ), *lacking), READ)
    assert statements(found) == ["GRANT SELECT ON SCHEMA::[sales] TO [me]"]
    assert found[0].message == "SELECT on sales.Orders, [sales].[Order Items]"


def test_a_table_that_a_denial_hides_from_a_reader_of_its_schema_is_named_by_itself() -> None:
    found = source_requirements(access(source_questions(READ), Question(OnTable(PEOPLE), "SELECT")), READ)
    assert statements(found) == ["GRANT SELECT ON OBJECT::[hr].[People]]] TO [me]"]
    assert "REVOKE" in found[0].remedy


def test_tables_that_are_not_seen_count_as_those_without_select() -> None:
    answers = access(
        source_questions(READ),
        Question(OnSchema("hr"), "SELECT"),
        unseen=(Question(OnTable(PEOPLE), "SELECT"),),
    )
    assert statements(source_requirements(answers, READ)) == []  # it is not there, and that is the table's own error
    assert statements(source_requirements(answers, READ, hidden=[PEOPLE])) == ["GRANT SELECT ON SCHEMA::[hr] TO [me]"]


def test_security_definitions_are_enough_for_policies_and_an_unknown_answer_refuses_nothing() -> None:
    both = access(source_questions(READ), *DEFINITIONS)
    assert statements(source_requirements(both, READ)) == ["GRANT VIEW DEFINITION TO [me]"]
    new = access(source_questions(READ), DEFINITIONS[0])
    assert statements(source_requirements(new, READ)) == []
    old = access(source_questions(READ), DEFINITIONS[0], unseen=(DEFINITIONS[1],))
    assert statements(source_requirements(old, READ)) == ["GRANT VIEW DEFINITION TO [me]"]
    unknown = access(source_questions(READ), unseen=DEFINITIONS)
    assert statements(source_requirements(unknown, READ)) == []


def test_server_state_is_a_warning_and_only_for_rowversion_watermarks() -> None:
    lacking = access(source_questions(READ), Question(OnServer(), "VIEW SERVER STATE"))
    assert [one.status for one in source_requirements(lacking, READ)] == ["ok"]
    found = source_requirements(lacking, READ, with_rowversion=[ORDERS])
    assert [(one.status, one.statement) for one in found] == [
        ("ok", ""),
        ("warning", "GRANT VIEW SERVER STATE TO [login]"),
    ]


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({}, "ok"),
        ({"encrypt": "strict", "trust_server_certificate": True}, "ok"),
        ({"trust_server_certificate": True}, "warning"),
        ({"encrypt": "no"}, "warning"),
    ],
)
def test_encryption_is_what_the_config_asks_for(options: dict[str, object], status: str) -> None:
    database = DatabaseConfig(server="db", database="d", username="u", password="p", **options)  # type: ignore[arg-type]
    assert encryption_requirement(database, "source").status == status


def test_a_database_without_snapshots_is_a_warning_with_the_statement() -> None:
    facts = DatabaseFacts("s", "my] db", "16.0.1", 3, "c", 160, snapshot_allowed=False, read_committed_snapshot=True)
    (found,) = snapshot_requirements(facts)
    assert (found.status, found.statement) == ("warning", "ALTER DATABASE [my]] db] SET ALLOW_SNAPSHOT_ISOLATION ON")
    assert snapshot_requirements(replace(facts, snapshot_allowed=True))[0].status == "ok"


@pytest.mark.parametrize(
    ("version", "edition", "supported"),
    [
        ("13.0.1", 3, True),
        ("12.0.1", 3, False),
        ("12.0.2", 5, True),
        ("12.0.2", 12, True),
        ("12.0.2", 11, False),
        ("x", 3, False),
    ],
)
def test_servers_that_are_supported(version: str, edition: int, supported: bool) -> None:
    assert Server(version, edition).is_supported is supported


# ---- the warehouse -------------------------------------------------------------------------------------------------
NEEDS = WarehouseNeeds(
    existing=(ORDERS,),
    absent=(TableName("house", "New"),),
    absent_partitioned=(TableName("house", "New"),),
    own_schemas=("_dltsync_staging", "_dltsync"),
    schemas_there=frozenset({"sales", "house", "_dltsync_staging", "_dltsync"}),
    allow_referenced=False,
)


def test_a_referenced_table_needs_references_once_for_all_targets() -> None:
    days, other = TableName("dbo", "Days"), TableName("sales", "Lines")
    needs = replace(NEEDS, references=((days, ORDERS), (days, other)))
    held = access(warehouse_questions(needs))
    assert [one.status for one in warehouse_requirements(held, needs)] == ["ok"]
    held = replace(held, held={**held.held, Question(OnTable(days), "REFERENCES"): False})
    (found,) = warehouse_requirements(held, needs)
    assert (
        found.message
        == f"REFERENCES on dbo.Days: staging tables get copies of the foreign keys of {ORDERS}, sales.Lines"
    )
    assert found.statement.startswith("GRANT REFERENCES ON OBJECT::[dbo].[Days] TO")


def test_boundaries_that_cannot_be_merged_are_a_warning() -> None:
    needs = replace(NEEDS, absent_partitioned=(), trimmed=(ORDERS,))
    held = access(warehouse_questions(needs))
    held = replace(held, held={**held.held, Question(OnDatabase(), "ALTER ANY DATASPACE"): False})
    found = {one.status: one for one in warehouse_requirements(held, needs)}
    assert set(found) == {"warning"}
    assert "GRANT ALTER ANY DATASPACE" in found["warning"].statement


def test_a_writer_with_everything_lacks_nothing() -> None:
    assert [one.status for one in warehouse_requirements(access(warehouse_questions(NEEDS)), NEEDS)] == ["ok"]


@pytest.mark.parametrize(
    ("lacking", "statement"),
    [
        ([Question(OnDatabase(), "CREATE TABLE")], "GRANT CREATE TABLE TO [me]"),
        ([Question(OnDatabase(), "VIEW DEFINITION")], "GRANT VIEW DEFINITION TO [me]"),
        ([Question(OnDatabase(), "ALTER ANY DATASPACE")], "GRANT ALTER ANY DATASPACE TO [me]"),
        (
            [Question(OnSchema("_dltsync"), right) for right in TABLE_RIGHTS],
            "GRANT SELECT, INSERT, UPDATE, DELETE, ALTER ON SCHEMA::[_dltsync] TO [me]",
        ),
        (
            [Question(OnTable(ORDERS), right) for right in ("DELETE", "ALTER")],
            "GRANT DELETE, ALTER ON OBJECT::[sales].[Orders] TO [me]",
        ),
    ],
)
def test_what_a_writer_lacks_is_one_statement(lacking: list[Question], statement: str) -> None:
    found = warehouse_requirements(access(warehouse_questions(NEEDS), *lacking), NEEDS)
    assert statements(found) == [statement]
    assert exit_code_of(found) == 5


def test_schemas_that_are_not_there_are_needed_unless_the_login_may_make_them() -> None:
    needs = replace(NEEDS, schemas_there=frozenset({"sales"}))
    questions = warehouse_questions(needs)
    found = warehouse_requirements(access(questions, Question(OnDatabase(), "CREATE SCHEMA")), needs)
    assert statements(found) == [
        f"CREATE SCHEMA [{schema}] AUTHORIZATION [me]" for schema in ("house", "_dltsync_staging", "_dltsync")
    ]
    assert statements(warehouse_requirements(access(questions), needs)) == []


def test_rights_that_the_config_does_without_are_not_asked_for() -> None:
    needs = replace(NEEDS, absent_partitioned=(), allow_referenced=True)
    lacking = [Question(OnDatabase(), "VIEW DEFINITION"), Question(OnDatabase(), "ALTER ANY DATASPACE")]
    assert statements(warehouse_requirements(access(warehouse_questions(needs), *lacking), needs)) == []


def test_a_permission_is_a_word_and_nothing_else() -> None:
    with pytest.raises(ValueError, match="not the name of a permission"):
        grant(["SELECT TO public; --"], OnDatabase(), "me")


# ---- the machine, and the whole ------------------------------------------------------------------------------------
def _config(root: Path) -> PipelineConfig:
    return PipelineConfig(
        database={"server": "db", "database": "d", "username": "u", "password": "p"},
        static_tables=[{"table_name": "t"}],
    ).located_at(root)


def test_a_missing_library_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def gone() -> None:
        raise DriverMissing("pyodbc cannot be loaded: libodbc.so.2", remedy="as root: apt-get install -y unixodbc")

    monkeypatch.setattr("dltsync_core.checkup.machine.load_pyodbc", gone)
    found = driver_requirements(_config(tmp_path))
    assert [one.status for one in found] == ["missing", "ok"]
    assert found[0].remedy == "as root: apt-get install -y unixodbc"
    assert exit_code_of(found) == 3


def test_little_room_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Usage:
        free = LITTLE_ROOM - 1

    monkeypatch.setattr("dltsync_core.checkup.machine.shutil.disk_usage", lambda path: Usage)
    assert {one.status for one in room_requirements(_config(tmp_path))} == {"warning"}


def test_the_smallest_code_of_what_is_missing_is_returned() -> None:
    found = [ok("machine", "a"), not_granted("source", "b", "GRANT"), missing("ledger", LoginFailed("c"))]
    assert exit_code_of(found) == 4
    assert exit_code_of(found[:1]) == 0
    assert exit_code_of([warning("source", "w")]) == 0
    assert "exit_code" not in found[0].as_dict()
    assert found[1].as_dict()["exit_code"] == 5


def test_the_list_fits_into_80_columns_and_statements_stay_whole() -> None:
    found = [
        ok("machine", "pyodbc 5.2.0 with libmsodbcsql-18.6.so.2.1"),
        warning(
            "source",
            "SNAPSHOT isolation is not allowed: counts and rows of a table come from two moments, and a broken read starts again",
            statement="ALTER DATABASE [shop] SET ALLOW_SNAPSHOT_ISOLATION ON",
        ),
        not_granted(
            "source", "SELECT on sales.Orders", "GRANT SELECT ON SCHEMA::[sales] TO [me]", "or leave the table out"
        ),
        missing("tables", TableNotFound("table sales.Nothing is not found\x1b[31m", remedy="check schema_name " * 6)),
        not_granted(
            "warehouse", "rights", f"GRANT SELECT, INSERT, UPDATE, DELETE, ALTER ON SCHEMA::[{'long' * 10}] TO [me]"
        ),
    ]
    out = StringIO()
    print_requirements(Console(file=out, width=80, highlight=False), "dltsync.yaml", 3, found)
    assert out.getvalue() == GOLDEN.read_text(encoding="utf-8")
    assert all(len(line) <= 80 or "GRANT" in line for line in out.getvalue().splitlines())
