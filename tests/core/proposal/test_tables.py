"""Which kind of table is proposed, with which settings, and what is said when none fits."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.catalog.facts import TableFacts
from dltsync_core.config import PipelineConfig
from dltsync_core.config.files import interpolate
from dltsync_core.config.table_patterns import matches
from dltsync_core.config.yaml_reader import PlainLoader
from dltsync_core.errors import CatalogError
from dltsync_core.identity import TableName
from dltsync_core.proposal.config_file import Variable, config_text, entries_of, scalar
from dltsync_core.proposal.tables import LARGE_TABLE_ROWS, TableProposal, left_out, propose
from tests.support.table_facts import column, partitioned, table

NUMBER = column("Id", "int", is_nullable=False)
VERSIONS = (
    NUMBER,
    column("Valid_From", "datetime2", is_nullable=False),
    column("valid_to", "datetime2"),
    column("IsCurrent", "bit", is_nullable=False),
    column("Name", "nvarchar"),
)
VERSION_KEY: dict[str, Any] = {"primary_key": ("Id", "Valid_From"), "unique_keys": (("Id", "Valid_From"),)}


def partitions(by: Any, *more: Any, boundaries: list[str | None]) -> TableFacts:
    return table(by, *more, partitioning=partitioned(by, boundaries, "right"))


def test_a_table_on_a_partition_function_is_a_partition_table() -> None:
    found = propose(partitions(NUMBER, column("Note", "nvarchar"), boundaries=["10", "20"]))
    assert (found.kind, dict(found.entry)) == ("partition", {})
    assert found.reason == "partitioned by Id, 3 partitions"
    assert "hash of every row" in found.remarks[-1]


@pytest.mark.parametrize(
    ("more", "remark"),
    [
        (column("Version", "rowversion"), "changes are found by rowversion"),
        (column("ModifiedDate", "datetime2"), "last_modified_column: ModifiedDate"),
    ],
    ids=["rowversion", "a date of modification"],
)
def test_the_remark_names_what_finds_changes(more: Any, remark: str) -> None:
    assert remark in propose(partitions(NUMBER, more, boundaries=["10"])).remarks[-1]


def test_a_date_of_modification_is_not_trusted_by_itself() -> None:
    """An application may forget to set it, and nobody said that it does not."""
    found = propose(partitions(NUMBER, column("ModifiedDate", "datetime2"), boundaries=["10"]))
    assert "last_modified_column" not in found.entry


@pytest.mark.parametrize("kind", ["varchar", "uniqueidentifier"])
def test_a_partition_column_that_sorts_differently_makes_a_static_table(kind: str) -> None:
    found = propose(partitions(column("Region", kind), NUMBER, boundaries=["M"]))
    assert found.kind == "static"
    assert any(remark.startswith("not a partition table: ") and "Region" in remark for remark in found.remarks)


@pytest.mark.parametrize(
    ("modified", "expected"),
    [(column("LastModified", "datetime2"), "LastModified"), (column("Stamp", "rowversion"), "Stamp")],
    ids=["date", "rowversion"],
)
def test_versions_are_recognised_by_their_columns(modified: Any, expected: str) -> None:
    found = propose(table(*VERSIONS, modified, **VERSION_KEY))
    assert found.kind == "scd"
    assert dict(found.entry) == {
        "last_modified_column": expected,
        "is_latest_column": "IsCurrent",
        "effective_date_column": "Valid_From",
        "end_date_column": "valid_to",
    }


def test_versions_without_a_key_are_a_static_table_that_says_why() -> None:
    found = propose(table(*VERSIONS, column("LastModified", "datetime2")))
    assert found.kind == "static"
    assert any(remark.startswith("not an scd table: no unique key contains Valid_From") for remark in found.remarks)


def test_versions_without_a_column_that_grows_are_a_static_table() -> None:
    assert propose(table(*VERSIONS, **VERSION_KEY)).kind == "static"


def test_a_column_without_an_exact_form_is_left_out_by_name() -> None:
    found = propose(
        table(
            NUMBER,
            column("Salary", "int", is_masked=True),
            column("Ssn", "nvarchar", is_encrypted=True),
            column("Name", "nvarchar"),
        )
    )
    assert (found.kind, dict(found.entry)) == ("static", {"exclude_columns": ["Salary", "Ssn"]})
    assert [remark.split(":")[0] for remark in found.remarks] == ["Salary is left out", "Ssn is left out"]


def test_a_table_without_a_column_that_can_be_loaded_is_left_out() -> None:
    found = propose(table(column("Salary", "int", is_masked=True)))
    assert found.kind is None
    assert "no column is left to load" in found.reason


def test_a_table_whose_rows_are_filtered_for_this_login_is_left_out() -> None:
    found = propose(table(NUMBER, has_row_filter=True))
    assert found.kind is None
    assert "row-level security" in found.reason


@pytest.mark.parametrize(("rows", "said"), [(LARGE_TABLE_ROWS - 1, False), (LARGE_TABLE_ROWS, True)])
def test_a_large_static_table_says_what_a_check_costs(rows: int, said: bool) -> None:
    assert any("hash about" in remark for remark in propose(table(NUMBER, approx_rows=rows)).remarks) is said


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)


@given(
    st.lists(
        st.tuples(NAMES, NAMES), min_size=1, max_size=4, unique_by=lambda pair: (pair[0].casefold(), pair[1].casefold())
    )
)
def test_any_name_stands_in_the_file_as_it_is(names: list[tuple[str, str]]) -> None:
    """Quotes, newlines, `#`, `${` and words that YAML takes for something else."""
    proposals = [
        TableProposal(TableName(*pair), "static", f"because {pair[1]}", entry={"exclude_columns": [pair[1]]})
        for pair in names
    ]
    proposals.append(left_out(TableName("x", "y"), CatalogError(f"x.y: no {names[0][1]}")))
    text = config_text({"server": "s", "database": names[0][0], "password": Variable("SECRET")}, "p", proposals)
    values, problems = interpolate(yaml.load(text, Loader=PlainLoader), {"SECRET": "x"})  # noqa: S506 - a SafeLoader
    assert not problems
    assert values["database"] == {"server": "s", "database": names[0][0], "password": "x"}
    written = [(entry.get("schema_name", "dbo"), entry["table_name"]) for entry in values["static_tables"]]
    assert written == names
    assert [entry["exclude_columns"] for entry in values["static_tables"]] == [[pair[1]] for pair in names]


@given(
    st.one_of(
        NAMES,
        st.booleans(),
        st.integers(),
        st.sampled_from(["no", "NULL", "1e3", "012", "2024-01-01", "~", "", "a: b"]),
    )
)
def test_a_scalar_is_read_back_as_it_was(value: Any) -> None:
    found, _ = interpolate(yaml.load(scalar(value), Loader=PlainLoader), {})  # noqa: S506 - a SafeLoader
    assert found == value
    assert type(found) is type(value)


def test_tables_of_one_name_get_schemas_of_their_own_in_the_warehouse() -> None:
    proposals = [
        propose(table(NUMBER, name=name, schema=schema)) for schema, name in (("a", "T"), ("b", "t"), ("b", "U"))
    ]
    entries = entries_of(proposals)
    assert [entry.get("target_schema") for entry in entries["static_tables"]] == ["a", "b", None]
    database = {"server": "s", "database": "d", "username": "u", "password": "p"}
    config = PipelineConfig(database=database, **entries)
    assert len({config.target_of(each) for each in config.tables}) == 3


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (("sales", "*"), {"Sales.Orders", "Sales.Order_lines"}),
        (("*", "order?"), {"Sales.Orders", "hr.OrderX"}),
        (("*", "*"), {"Sales.Orders", "Sales.Order_lines", "hr.OrderX", "hr.a.b[1]"}),
        (("hr", "a.b[1]"), {"hr.a.b[1]"}),
        (("sal", "*"), set()),
    ],
)
def test_patterns_compare_whole_names_without_case(pattern: tuple[str, str], expected: set[str]) -> None:
    tables = [
        TableName("Sales", "Orders"),
        TableName("Sales", "Order_lines"),
        TableName("hr", "OrderX"),
        TableName("hr", "a.b[1]"),
    ]
    assert {f"{t.schema}.{t.table}" for t in tables if matches(t, TableName(*pattern))} == expected
