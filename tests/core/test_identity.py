"""A table is a pair of names: whatever text is made of two names, and of a pipeline's, is another one for other names."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from dltsync_core.identity import (
    WHOLE_TABLE,
    TableName,
    dotted,
    identifier_part,
    in_shell,
    joined,
    parsed_name,
    path_part,
    slashed,
)
from dltsync_core.lake import paths
from dltsync_core.state.tables import table_key, unit_key

NAMES = st.text(alphabet="abAB.[]()_-/%, '\"\x1e\x1f\x00|é", min_size=1, max_size=5) | st.text(min_size=1, max_size=8)
TABLES = st.builds(TableName, NAMES, NAMES)
PIPELINES = st.from_regex(r"[ab][ab_-]{0,3}", fullmatch=True)
HIDDEN = (TableName("a.b", "c"), TableName("a", "b.c"))


@given(TABLES)
@example(TableName("a.b", "c"))
@example(TableName("a", "b]"))
@example(TableName("]", "[.]"))
@example(TableName(" a ", "\n"))
def test_the_text_of_a_table_leads_back_to_it(table: TableName) -> None:
    assert parsed_name(str(table)) == (table.schema, table.table)
    assert parsed_name(dotted(table.table)) == (None, table.table)


@pytest.mark.parametrize(
    ("table", "text"),
    [
        (TableName("sales", "Orders"), "sales.Orders"),
        (TableName("dbo", "Bestellungen_2024-01"), "dbo.Bestellungen_2024-01"),
        (TableName("dbo", "注文"), "dbo.注文"),
        (TableName("a.b", "c"), "[a.b].[c]"),
        (TableName("a", "b.c"), "[a].[b.c]"),
        (TableName("dbo", "Order Details"), "[dbo].[Order Details]"),
        (TableName("dbo", "a]b"), "[dbo].[a]]b]"),
    ],
)
def test_plain_names_are_written_plainly_and_others_in_brackets(table: TableName, text: str) -> None:
    assert str(table) == text


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Orders", (None, "Orders")),
        (" sales . Orders ", ("sales", "Orders")),
        ("dbo.Order Details", ("dbo", "Order Details")),
        ("dbo.[Order Details]", ("dbo", "Order Details")),
        ("[a.b].c", ("a.b", "c")),
        ("[a.b]", (None, "a.b")),
        ("a.b.c", None),
        ("[a.b", None),
        ("[a]b].c", None),
        ("[].c", None),
        (".c", None),
        ("", None),
    ],
)
def test_what_a_person_writes_is_understood_or_is_no_name(text: str, names: tuple[str | None, str] | None) -> None:
    assert parsed_name(text) == names


def texts_of(table: TableName, pipeline: str) -> dict[str, str]:
    """Every text that is made of a table's names, and of the pipeline's."""
    names = (pipeline, table.schema, table.table)
    return {
        "for people": str(table),
        "folder": paths.table_directory(table),
        "partition's folder": paths.partition_directory(table, "[1,2)"),
        "retired": paths.retired_directory(table, WHOLE_TABLE),
        "quarantine": paths.quarantine_directory(table),
        "lease": table_key("p", table),
        "unit": unit_key("p", table, WHOLE_TABLE),
        "hashed": joined(*names),
        "hashed with zeros": joined(*names, separator="\0"),
        "path": slashed(*names),
        "identifier": identifier_part(str(table)),
        "in a shell": in_shell(table),
    }


@given(TABLES, TABLES)
@example(*HIDDEN)
@example(TableName("a\x1fb", "c"), TableName("a", "b\x1fc"))
@example(TableName("a/b", "c"), TableName("a", "b/c"))
@example(TableName("a_b", "c"), TableName("a", "b_c"))
def test_two_tables_share_no_text(one: TableName, other: TableName) -> None:
    assume(one != other)
    first, second = texts_of(one, "p"), texts_of(other, "p")
    assert [what for what, text in first.items() if text == second[what]] == []


@given(TABLES, TABLES)
@example(TableName("s", "Orders"), TableName("s", "ORDERS"))
def test_folders_differ_where_a_file_system_ignores_case(one: TableName, other: TableName) -> None:
    assume(one != other)
    assert paths.table_directory(one).casefold() != paths.table_directory(other).casefold()


@given(st.tuples(PIPELINES, TABLES, NAMES), st.tuples(PIPELINES, TABLES, NAMES))
@example(("p", TableName("a", "b"), "c\x1fd"), ("p", TableName("a", "b\x1fc"), "d"))
def test_units_of_two_pipelines_or_tables_share_no_key(
    one: tuple[str, TableName, str], other: tuple[str, TableName, str]
) -> None:
    assume(one != other)
    assert unit_key(*one) != unit_key(*other)


@given(PIPELINES, PIPELINES)
@example("a-b", "a_b")
@example("a", "A")
def test_two_pipelines_share_no_folder(one: str, other: str) -> None:
    assume(one != other)

    assert path_part(one).casefold() != path_part(other).casefold()


@pytest.mark.parametrize("part", [path_part, identifier_part])
@given(one=NAMES, other=NAMES)
@example(one="a-b", other="a_b")
@example(one="x y", other="x_y-0123abcd")
def test_parts_of_paths_and_identifiers_differ_for_different_texts(
    part: Callable[[str], str], one: str, other: str
) -> None:
    assume(one != other)
    assert part(one) != part(other)


@given(NAMES)
def test_what_has_a_digest_is_nobody_elses_name(name: str) -> None:
    """A name that looks like another one with its digest gets a digest of its own."""
    for part in (path_part, identifier_part):
        made = part(name)
        assert made == name or part(made) != made


def test_names_of_which_little_can_be_read_get_a_long_digest() -> None:
    """Thousands of partitions may have boundaries in letters that no path shows: eight digits would not tell all apart."""
    assert len(path_part("[注文,日本)").rpartition("-")[2]) == 16
    assert len(path_part("[2024-01-01T00:00:00,2024-02-01)").rpartition("-")[2]) == 8


def test_texts_of_plain_names_stay_what_they_are() -> None:
    """Lakes, ledgers and warehouses are full of them."""
    table = TableName("sales", "Orders")
    assert paths.partition_directory(table, "[2024-01-01T00:00:00,2024-02-01)") == (
        "sales_Orders-25b15a7a/data/dltsync_partition=2024-01-01T00_00_00_2024-02-01-e3584926"
    )
    assert unit_key("p", table, WHOLE_TABLE) == "02b00662b9ca038eef162bb34a068e462d07f9f5c0ec8f7e2a6ae3d461d86e13"
    assert table_key("p", table) == "91d352f48fd60532f88f679716ef5dbdb4916771a59e5ac57892b4d57f3cd966"
    assert path_part("demo") == "demo"
