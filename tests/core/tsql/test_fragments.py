"""Quoting: every name and every text comes back whole, and nothing else gets into a statement."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.identity import TableName
from dltsync_core.tsql.fragments import Identifier, Literal, Parameter, TypeName, join, sql, table

NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=60)


def _tokens(text: str) -> list[tuple[str, str]]:
    """Delimited names, strings and the rest, as T-SQL's lexical rules have them (an independent reading)."""
    found: list[tuple[str, str]] = []
    at = 0
    while at < len(text):
        for kind, opening, closing in (("name", "[", "]"), ("text", "N'", "'")):
            if text.startswith(opening, at):
                at += len(opening)
                value = ""
                while True:
                    end = text.index(closing, at)
                    value += text[at:end]
                    at = end + 1
                    if text[at : at + 1] != closing:
                        break
                    value += closing
                    at += 1
                found.append((kind, value))
                break
        else:
            found.append(("other", text[at]))
            at += 1
    return found


@given(NAMES)
def test_a_name_is_one_token_and_comes_back(name: str) -> None:
    assert _tokens(sql("{name}", name=Identifier(name)).render().text) == [("name", name)]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_text_is_one_token_and_comes_back(value: str) -> None:
    assert _tokens(sql("{value}", value=Literal(value)).render().text) == [("text", value)]


@given(NAMES, NAMES)
def test_a_two_part_name_is_quoted_part_by_part(schema: str, name: str) -> None:
    assert _tokens(table(TableName(schema, name)).render().text) == [("name", schema), ("other", "."), ("name", name)]


@given(st.lists(st.text(), max_size=5))
def test_parameters_travel_beside_the_text(values: list[str]) -> None:
    statement = sql("f({values})", values=join(", ", [Parameter(value) for value in values])).render()
    assert statement.text == "f(" + ", ".join("?" * len(values)) + ")"
    assert statement.parameters == tuple(values)


@pytest.mark.parametrize("name", ["", "a" * 129, "x\0y", "😀" * 65])
def test_what_can_be_no_name_is_refused(name: str) -> None:
    """sysname is 128 UTF-16 units: 65 emoji are 130."""
    with pytest.raises(ValueError, match="cannot be a name"):
        Identifier(name)


def test_a_name_may_be_128_units_long() -> None:
    assert Identifier("a" * 128).name == "a" * 128
    assert Identifier("😀" * 64).name == "😀" * 64


@pytest.mark.parametrize("name", ["int; DROP TABLE x", "int--", "nvarchar(max", "decimal(38,10", "Int", "", "x(1)y"])
def test_what_is_no_type_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a declared type"):
        TypeName(name)


def test_fields_and_values_must_match() -> None:
    with pytest.raises(KeyError):
        sql("{a}")
    with pytest.raises(ValueError, match="no field for"):
        sql("x", a=Parameter("1"))
    with pytest.raises(ValueError, match="takes no format"):
        sql("{a!r}", a=Parameter("1"))


def test_numbers_and_null_are_bare_literals() -> None:
    assert sql("{a} {b}", a=Literal(7), b=Literal(None)).render().text == "7 NULL"


def test_braces_in_a_name_are_not_fields() -> None:
    assert re.fullmatch(r"\[\{b\}\]", sql("{a}", a=Identifier("{b}")).render().text)
