"""The scripts of docs/permissions.md: every statement runs, a pipeline runs with the two logins and nothing more, and with one
statement left out `dltsync check` names exactly that one and a run fails."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dltsync_core.checkup.check import check_pipeline
from dltsync_core.checkup.requirement import Requirement
from dltsync_core.config import DestinationConfig, PipelineConfig, ProcessingConfig
from dltsync_core.errors import SyncError
from tests.support.server_shop import Server
from tests.support.sqlserver_shop import SqlServerShop, dropped, made_database

PAGE = Path(__file__).parents[3] / "docs" / "permissions.md"
PASSWORD = "Limited-Pa55"


def scripts() -> list[list[str]]:
    """The statements of each block of SQL on the page, without comments."""
    blocks = re.findall(r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return [[text.strip() for text in re.sub(r"--.*", "", block).split(";") if text.strip()] for block in blocks]


SOURCE, SOURCE_IF, SNAPSHOT, WRITER, TARGET_SCHEMA, MARKERS, STAGING, WRITER_IF, OTHER_OWNER, ROW_VERSIONS = scripts()
READER_NEEDS = SOURCE
WRITER_NEEDS = [*WRITER, *TARGET_SCHEMA, *MARKERS, *STAGING, WRITER_IF[0]]


class LimitedShop(SqlServerShop):
    """A shop in schema `sales` of a database of its own, and two logins without any right."""

    def __init__(self, server: Server, root: Path, target: Server) -> None:
        super().__init__(server, root, target)
        self.schema = "sales"
        suffix = uuid.uuid4().hex[:6]
        self.names = {
            "dltsync_r": f"reader_{suffix}",
            "dltsync_w": f"writer_{suffix}",
            "DATABASE shop": f"DATABASE {server.database}",
            "DATABASE sales_dw": f"DATABASE {target.database}",
        }
        for login in ("dltsync_r", "dltsync_w"):
            self.execute(f"CREATE LOGIN {self.names[login]} WITH PASSWORD = '{PASSWORD}'")

    def written(self, statement: str) -> str:
        """The statement with the names of this shop."""
        for name, mine in self.names.items():
            statement = statement.replace(name, mine)
        return statement

    def at_source(self, *statements: str) -> None:
        self._run_at(self.server, *statements)

    def at_target(self, *statements: str) -> None:
        self._run_at(self.target, *statements)

    def _run_at(self, server: Server, *statements: str) -> None:
        for statement in statements:
            where = replace(server, database="master") if "SERVER STATE" in statement else server
            with closing(where.connect()) as connection:
                connection.execute(self.written(statement))

    def config(self) -> PipelineConfig:
        login = {"password": PASSWORD}
        source = self.server.database_config(username=self.names["dltsync_r"], **login)
        connection = {**self.target.database_section, "username": self.names["dltsync_w"], **login}
        destination = DestinationConfig(type="sqlserver", connection=connection, **self.settings)
        return super().config().model_copy(update={"database": source, "destination": destination})

    def check(self) -> list[Requirement]:
        found = check_pipeline(self.config())
        assert PASSWORD not in repr(found)
        return found

    def missing(self) -> list[str]:
        """The statements of what is missing, as the page writes them."""
        plain = [
            one.statement.translate(str.maketrans("", "", "[]")) for one in self.check() if one.status == "missing"
        ]
        for name, mine in self.names.items():
            plain = [statement.replace(mine, name) for statement in plain]
        return plain

    def failure(self) -> str:
        """What the run says that fails."""
        try:
            result = self.run()
        except SyncError as error:
            return str(error)
        assert not result.success
        return str(result["errors"])


@pytest.fixture
def limited(snapshot_server: Server, tmp_path: Path) -> Iterator[LimitedShop]:
    """Nothing is granted yet."""
    source, target = made_database(snapshot_server), made_database(snapshot_server)
    shop = LimitedShop(source, tmp_path, target)
    shop.create()
    yield shop
    shop._connection.close()
    dropped(source)
    dropped(target)


def test_every_statement_of_the_page_runs(limited: LimitedShop) -> None:
    limited.at_source(*SOURCE, *SOURCE_IF, *SNAPSHOT)
    limited.at_target("CREATE TABLE dbo.Orders (a int)", "CREATE TABLE dbo.Countries (a int)")
    limited.at_target(*WRITER, *TARGET_SCHEMA, *MARKERS, *STAGING, *WRITER_IF, *OTHER_OWNER, *ROW_VERSIONS)


def test_a_pipeline_runs_with_these_logins_and_nothing_more(limited: LimitedShop) -> None:
    limited.at_source(*READER_NEEDS, *SNAPSHOT)
    limited.at_target(*WRITER_NEEDS)
    before = sorted(limited.root.rglob("*"))
    assert limited.missing() == []
    assert sorted(limited.root.rglob("*")) == before
    assert limited.methods() == dict.fromkeys(("Orders", "Customers", "Countries"), "switch")
    limited.assert_same()
    limited.execute("UPDATE {s}.Orders SET Note = N'x' WHERE OrderNo = 103")
    limited.add_version(3, "2026-01-20", "Cy", "2026-01-20T09:00:00.0000002")
    limited.execute("DELETE FROM {s}.Countries WHERE Code = 'JP'")
    assert limited.run().success
    limited.assert_same()
    with limited.pipeline() as pipeline:
        assert pipeline.validate_all_tables(fingerprint="sha256")["valid"]
    assert limited.missing() == []


ONE_LEFT_OUT = [*((s, "source") for s in READER_NEEDS[1:]), *((s, "target") for s in WRITER_NEEDS[1:])]


@pytest.mark.parametrize(("left_out", "where"), ONE_LEFT_OUT, ids=[s for s, _ in ONE_LEFT_OUT])
def test_check_names_the_statement_that_was_left_out_and_a_run_fails(
    limited: LimitedShop, left_out: str, where: str
) -> None:
    limited.at_source(*(s for s in (*READER_NEEDS, *SNAPSHOT) if s != left_out))
    limited.at_target(*(s for s in WRITER_NEEDS if (s, where) != (left_out, "target")))
    assert limited.missing() == [left_out]
    said = limited.failure()
    permission = re.sub(r" (ON|TO|\w+ AUTHORIZATION) .*", "", left_out).removeprefix("GRANT ")
    assert permission in said
    assert "-> " in said


@pytest.mark.parametrize("where", ["source", "target"])
def test_a_login_without_a_user_is_named_with_the_statement_that_makes_it(limited: LimitedShop, where: str) -> None:
    limited.at_source(*(READER_NEEDS if where == "target" else ()))
    limited.at_target(*(WRITER_NEEDS if where == "source" else ()))
    assert limited.missing() == [(SOURCE if where == "source" else WRITER)[0]]
    assert "CREATE USER" in limited.failure()


def test_a_denied_table_is_named_and_the_others_are_loaded(limited: LimitedShop) -> None:
    limited.at_source(*READER_NEEDS, "DENY SELECT ON OBJECT::sales.Countries TO dltsync_r")
    limited.at_target(*WRITER_NEEDS)
    found = [one for one in limited.check() if one.status == "missing"]
    assert [one.message for one in found] == ["SELECT on sales.Countries"]
    assert "denied" in found[0].remedy
    result = limited.run()
    assert {unit.table.table for unit in result.failed} == {"Countries"}
    assert limited.warehouse_rows("Orders") == limited.source_rows("Orders")


def test_a_target_of_another_owner_needs_rights_on_the_table(limited: LimitedShop) -> None:
    limited.at_source(*READER_NEEDS)
    limited.at_target(*WRITER_NEEDS)
    assert limited.run().success
    limited.at_target(
        f"DENY DELETE, ALTER ON OBJECT::warehouse.Orders TO {limited.names['dltsync_w']}",
        "CREATE SCHEMA other",
    )
    limited.settings["dataset_name"] = "other"
    assert limited.missing() == [
        "GRANT SELECT, INSERT, UPDATE, DELETE, ALTER ON SCHEMA::other TO dltsync_w",
    ]


def test_no_snapshots_and_no_row_versions_are_warnings_with_their_statements(limited: LimitedShop) -> None:
    limited.at_source(*READER_NEEDS, limited.written(SNAPSHOT[0]).replace(" ON", " OFF"))
    limited.at_target(*WRITER_NEEDS, limited.written(ROW_VERSIONS[0]).replace(" ON", " OFF"))
    found: dict[str, Any] = {one.statement: one.status for one in limited.check() if one.statement}
    assert set(found.values()) == {"warning"}
    assert {re.sub(r"[\[\]]", "", statement) for statement in found} == {
        limited.written(SNAPSHOT[0]),
        limited.written(ROW_VERSIONS[0]),
    }


def test_rows_that_a_hidden_policy_would_filter_are_not_lost_in_silence(limited: LimitedShop) -> None:
    """Without VIEW DEFINITION on the database a policy is not seen, and the rows that it hides would be missing unnoticed."""
    limited.at_source(*READER_NEEDS[:2], *SNAPSHOT)
    limited.at_target(*WRITER_NEEDS)
    limited.execute("EXEC sandbox_features '{s}.Orders', '{\"security_policy\": true}'")
    assert "security policies" in limited.failure()
    limited.at_source(READER_NEEDS[2])
    assert "row-level security filter" in limited.failure()


def test_a_foreign_key_to_a_table_of_another_owner_needs_references(limited: LimitedShop) -> None:
    """Staging tables get a copy of the key. Nothing is asked for where rows are not switched."""
    limited.at_source(*READER_NEEDS)
    limited.at_target(*WRITER_NEEDS)
    assert limited.run().success
    limited.at_target(
        "CREATE TABLE dbo.Numbers (No int NOT NULL PRIMARY KEY)",
        "INSERT INTO dbo.Numbers SELECT OrderNo FROM warehouse.Orders",
        "ALTER TABLE warehouse.Orders WITH CHECK ADD CONSTRAINT fk FOREIGN KEY (OrderNo) REFERENCES dbo.Numbers (No)",
    )
    assert limited.missing() == ["GRANT REFERENCES ON OBJECT::dbo.Numbers TO dltsync_w"]
    limited.execute("UPDATE {s}.Orders SET Note = N'x' WHERE OrderNo = 103")
    assert "The REFERENCES permission was denied on the object 'Numbers'" in limited.failure()
    limited.overrides["processing"] = ProcessingConfig(batch_size=4, enable_sql_server_partition_switching=False)
    assert limited.missing() == []
    del limited.overrides["processing"]
    limited.at_target(*(statement.replace("Countries", "Numbers") for statement in OTHER_OWNER[1:]))
    assert limited.missing() == []
    assert limited.methods() == {"Orders": "switch"}
    limited.assert_same()
