"""The limits of CONCAT, and the conversions that lose nothing."""

from __future__ import annotations

import re

import pytest

from dltsync_core.identity import TableName
from dltsync_core.tsql.digest import digest_rows
from dltsync_core.tsql.values import as_text, from_text
from tests.support.table_facts import column


def _concat_sizes(text: str) -> list[int]:
    """The number of arguments of every CONCAT( … ) in the text."""
    sizes: list[int] = []
    stack: list[list[int] | None] = []
    for token in re.finditer(r"CONCAT\(|\(|\)|,", text):
        if token[0] == "CONCAT(":
            stack.append([1])
        elif token[0] == "(":
            stack.append(None)
        elif token[0] == ")":
            top = stack.pop()
            if top is not None:
                sizes.append(top[0])
        elif stack and (top := stack[-1]) is not None:
            top[0] += 1
    return sizes


@pytest.mark.parametrize("columns", [1, 2, 126, 127, 253, 1024])
def test_concat_never_takes_more_than_254_arguments(columns: int) -> None:
    facts = [column(f"c{i}", "int", i) for i in range(columns)]
    text = digest_rows(TableName("dbo", "t"), facts, None).text
    sizes = _concat_sizes(text)
    assert max(sizes) <= 254
    assert len(re.findall(r"THEN N'~' ELSE", text)) == columns
    for position in range(1, columns + 1):
        assert text.count(f"DATALENGTH(x.[c{position}])") == 1


def test_the_result_of_every_long_concat_is_max() -> None:
    """Without a (max) argument CONCAT cuts its result at 4000 characters, in silence."""
    text = digest_rows(TableName("dbo", "t"), [column(f"c{i}", "int", i) for i in range(300)], None).text
    long = re.findall(r"CONCAT\((?!DATALENGTH)(.{0,30})", text)
    assert long
    assert all(start.startswith("CAST(N'' AS nvarchar(max))") for start in long)


@pytest.mark.parametrize(
    ("type_name", "facts", "text"),
    [
        ("money", {}, "CONVERT(varchar(50), CAST([c] AS decimal(19,4)))"),
        ("float", {}, "CONVERT(varchar(40), [c], 3)"),
        ("datetime", {}, "CONVERT(varchar(30), [c], 126)"),
        ("datetime2", {}, "CONVERT(varchar(40), [c], 121)"),
        (
            "datetimeoffset",
            {},
            "CONVERT(varchar(27), CAST([c] AS datetime2(7)), 121) + RIGHT(CONVERT(varchar(40), [c], 121), 6)",
        ),
        ("date", {}, "CONVERT(varchar(10), [c], 23)"),
        ("varbinary", {}, "CONVERT(varchar(8000), [c], 1)"),
        ("varbinary", {"max_length": 8000}, "CONVERT(varchar(max), [c], 1)"),
        ("varbinary", {"max_length": -1}, "CONVERT(varchar(max), [c], 1)"),
        ("rowversion", {}, "CONVERT(varchar(18), CONVERT(binary(8), [c]), 1)"),
        ("nvarchar", {}, "[c]"),
    ],
)
def test_values_become_text_by_styles_that_lose_nothing(type_name: str, facts: dict[str, int], text: str) -> None:
    assert as_text(column("c", type_name, **facts)).render().text == text


@pytest.mark.parametrize(
    ("type_name", "facts", "text"),
    [
        ("int", {}, "CAST(? AS int)"),
        ("decimal", {}, "CAST(? AS decimal(38,10))"),
        ("datetime2", {"scale": 0}, "CAST(? AS datetime2(0))"),
        ("datetime", {}, "CONVERT(datetime, ?, 126)"),
        ("nvarchar", {}, "CAST(? AS nvarchar(50))"),
        ("varchar", {}, "CAST(? AS varchar(50))"),
        ("varbinary", {}, "CONVERT(varbinary(16), ?, 1)"),
        ("rowversion", {}, "CONVERT(binary(8), ?, 1)"),
        ("uniqueidentifier", {}, "CAST(? AS uniqueidentifier)"),
    ],
)
def test_bounds_have_exactly_the_column_s_type(type_name: str, facts: dict[str, int], text: str) -> None:
    """Any other type, precision included, reads every partition."""
    statement = from_text(column("c", type_name, **facts), "v").render()
    assert statement.text == text
    assert statement.parameters == ("v",)
