"""Every code block of README and docs runs over the sandbox, in the order of its page, or says in a comment why it does not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.pages.blocks import PAGES, ROOT, Block, blocks_of, page_blocks
from tests.pages.story import Story
from tests.pages.world import CUSTOMERS, DEMO, PARTS, SALES, World
from tests.support.forks import Forks
from tests.support.page_summary import BLOCKS
from tests.support.sandbox_server import SandboxServer

ALL = {page: page_blocks(page) for page in PAGES}
RUNNING = [page for page, blocks in ALL.items() if any(block.runs_here for block in blocks)]
COSTLY = ("docs/validation.md", "docs/recovery.md", "docs/sqlserver_warehouse.md")
"""Pages whose commands cost more than `make test` can afford."""

TABLES: dict[str, Any] = {
    "partition_tables": [{"schema_name": "sales", "table_name": "Orders"}],
    "scd_tables": [{"schema_name": "dbo", "table_name": "Customers", "last_modified_column": "LastModified"}],
    "static_tables": [{"schema_name": "sales", "table_name": "Countries"}],
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    server = SandboxServer(tmp_path_factory.mktemp("pages"), arguments=["--allow-faults", "--allow-canned"])
    server.start()
    try:
        made = World(server)
        made.database("Sales", SALES)
        yield made
    finally:
        server.stop()


# -- what the reader of a page has already ------------------------------------------------------------------------------


def nothing(story: Story) -> None:
    """Pages that make a config of their own."""


def a_config(story: Story) -> None:
    story.begins_with("Sales", **TABLES)


def a_loaded_shop(story: Story) -> None:
    a_config(story)
    story.dltsync("run")


def the_demo(story: Story) -> None:
    story.world.database("Demo", DEMO)
    story.begins_with(
        "Demo",
        pipeline_name="demo",
        state={"parquet_directory": "lake"},
        partition_tables=[{"table_name": "flights"}],
        scd_tables=[{"table_name": "aircraft", "last_modified_column": "LastModified"}],
    )
    story.dltsync("run")


def a_database_of_the_sandbox(story: Story) -> None:
    story.database = story.world.database(
        "Sandboxed", ["CREATE TABLE dbo.Orders (OrderNo int, Amount int)", "CREATE TABLE dbo.t (x nvarchar(10))"]
    )


def a_warehouse_in_sql_server(story: Story) -> None:
    a_config(story)
    story.world.execute(
        story.database,
        "CREATE TABLE sales.Visits (Day date NOT NULL, VisitNo int NOT NULL) ON by_month(Day)",
        "INSERT INTO sales.Visits VALUES ('2023-12-05', 1), ('2024-03-31', 2)",
        "CREATE PARTITION FUNCTION by_number (int) AS RANGE RIGHT FOR VALUES (20240101, 20240201)",
        "CREATE PARTITION SCHEME by_number AS PARTITION by_number ALL TO ([PRIMARY])",
        "CREATE TABLE sales.Sales (Day int NOT NULL, SaleNo int NOT NULL) ON by_number(Day)",
        "INSERT INTO sales.Sales VALUES (20231205, 1), (20240331, 2)",
    )
    story.world.database(
        "sales_dw",
        [
            (
                "CREATE PARTITION FUNCTION pf_month (date) AS RANGE RIGHT FOR VALUES "
                "('2024-01-01', '2024-02-01', '2024-03-01')"
            ),
            "CREATE PARTITION SCHEME ps_month AS PARTITION pf_month ALL TO ([PRIMARY])",
        ],
    )
    story.world.user("sales_dw", "dltsync_w")
    rights = ("CREATE TABLE", "VIEW DEFINITION", "ALTER ANY DATASPACE", "CREATE SCHEMA")
    story.world.execute("sales_dw", *(f"GRANT {right} TO dltsync_w" for right in rights))


def damaged_parts(story: Story) -> None:
    """Rows of `sales.Parts` are changed in the warehouse; customers are loaded too."""
    story.world.database("Parts", (*PARTS, *CUSTOMERS))
    parts = {"schema_name": "sales", "table_name": "Parts"}
    story.begins_with(
        "Parts", scd_tables=TABLES["scd_tables"], static_tables=[parts], destination={"path": "house.duckdb"}
    )
    story.dltsync("run")
    with duckdb.connect(str(story.root / "house.duckdb")) as connection:
        connection.execute("UPDATE warehouse.Parts SET Price = NULL WHERE Line = 77")
        connection.execute("UPDATE warehouse.Parts SET Code = 'part ' WHERE Line = 88")


BEFORE: dict[str, Callable[[Story], None]] = {
    "README.md": nothing,
    "docs/start.md": nothing,
    "docs/lake.md": the_demo,
    "docs/python.md": a_loaded_shop,
    "docs/recovery.md": a_loaded_shop,
    "docs/sandbox.md": a_database_of_the_sandbox,
    "docs/sqlserver_warehouse.md": a_warehouse_in_sql_server,
    "docs/validation.md": damaged_parts,
}
"""What was done before a page begins. Others begin with a config over the shop."""


# -- what a page leaves -------------------------------------------------------------------------------------------------


def the_log_and_the_figures(story: Story) -> None:
    story.dltsync("run")
    for name in ("logs/dltsync.jsonl", "logs/last_run.json", "metrics/dltsync.prom"):
        assert (story.root / name).stat().st_size > 0, name


def no_faults(story: Story) -> None:
    story.world.execute(story.database, "EXEC sandbox_faults", "EXEC sandbox_canned")


def loaded_with_visits(story: Story) -> None:
    try:
        story.dltsync("run")
    finally:
        # The other pages share the database.
        story.world.execute(story.database, "DROP TABLE sales.Visits", "DROP TABLE sales.Sales")


AFTER: dict[str, Callable[[Story], None]] = {
    "docs/logging.md": the_log_and_the_figures,
    "docs/sandbox.md": no_faults,
    "docs/sqlserver_warehouse.md": loaded_with_visits,
}
FOLDERS = {"/var/lib/node_exporter": "metrics"}
"""Directories of the pages, and those of the test that stand for them."""


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize(
    "page",
    [pytest.param(p, id=named(p), marks=[pytest.mark.slow] if named(p) in COSTLY else []) for p in RUNNING],
)
def test_the_blocks_of_a_page_run(
    page: Path, world: World, forks: Forks, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    story = Story(world, forks, tmp_path, folders=FOLDERS)
    (tmp_path / "metrics").mkdir()
    BEFORE.get(named(page), a_config)(story)
    blocks = [block for block in ALL[page] if block.runs_here]
    try:
        for block in blocks:
            story.run(block)
    finally:
        AFTER.get(named(page), nothing)(story)
    record_property(BLOCKS, [("run" if block.mark != "only loaded" else block.mark, block.reason) for block in blocks])


def test_blocks_that_do_not_run_say_why(record_property: Callable[[str, object], None]) -> None:
    """No block is without a language, and one that another test runs is named by that test's page."""
    blocks = [block for found in ALL.values() for block in found]
    assert [str(block) for block in blocks if not block.language] == []
    elsewhere = [block for block in blocks if block.mark == "run by"]
    for block in elsewhere:
        test = ROOT / block.reason
        assert test.is_file(), f"{block}: {block.reason}"
        assert Path(block.page).name in test.read_text(encoding="utf-8"), (
            f"{block}: {block.reason} does not read the page"
        )
    record_property(BLOCKS, [(b.mark, b.reason) for b in blocks if b.is_code and not b.runs_here])


@pytest.mark.parametrize(
    ("comment", "problem"),
    [
        ("<!-- not run -->\n", None),
        ("<!-- not run: -->\n", "is none of"),
        ("<!-- skipped: a reason -->\n", "is none of"),
        ("<!-- not run: a reason -->\n\nText.\n\n", "no code block follows"),
    ],
)
def test_a_comment_that_marks_no_block_is_an_error(comment: str, problem: str | None) -> None:
    page = f"{comment}```console\n$ dltsync plan\n```\n"
    if problem is None:
        assert [block.mark for block in blocks_of(page, "page.md")] == [None]
        return
    with pytest.raises(ValueError, match=problem):
        blocks_of(page, "page.md")


def test_comments_belong_to_the_block_below_them() -> None:
    page = "<!-- not run: Docker -->\n```sh\na\n```\n\n- item\n\n  <!-- exit code: 9 -->\n  ```console\n  $ b\n  ```\n"
    assert [(b.info, b.mark, b.reason, b.text) for b in blocks_of(page, "page.md")] == [
        ("sh", "not run", "Docker", "a\n"),
        ("console", "exit code", "9", "$ b\n"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("$ make demo\n", "make does not run here"),
        ("dltsync plan\n", "a command begins with"),
        ("$ dltsync plan --tables sales.Nothing\n", "exit code 2"),
        ("$ dltsync --version\nno version\n", "['no version']"),
    ],
)
def test_a_block_that_fails_is_noticed(text: str, said: str, world: World, forks: Forks, tmp_path: Path) -> None:
    story = Story(world, forks, tmp_path)
    a_config(story)
    with pytest.raises(AssertionError, match=re.escape(said)):
        story.run(Block("page.md", 1, "console", text))


def test_a_language_that_nothing_runs_is_noticed(world: World, forks: Forks, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="nothing runs a block in 'ruby'"):
        Story(world, forks, tmp_path).run(Block("page.md", 1, "ruby", "puts 1\n"))
