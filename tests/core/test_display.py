"""Text of strangers is shown, never obeyed: by terminals, by log readers, by Markdown."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from dltsync_core.display import as_markdown, indented, number_of, quoted, visible
from tests.support.hostile_text import HOSTILE

TEXTS = st.one_of(
    st.sampled_from(HOSTILE), st.text(), st.text("\x00\x1b\r\n\t\x85\u2028\u202e\ud800[]()<>*_`#|!&\\ab ")
)


@given(TEXTS)
def test_nothing_is_left_that_a_terminal_obeys(text: str) -> None:
    shown = visible(text)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", shown)
    shown.encode("utf-8")
    assert shown.count("\n") == text.count("\n")


@given(TEXTS, TEXTS)
def test_a_quoted_value_is_one_line_and_ends_where_it_seems_to(text: str, other: str) -> None:
    shown = quoted(text)
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", shown)
    assert re.fullmatch(r"'(?:[^'\\]|\\.)*'", shown)
    assert (shown == quoted(other)) is (text == other)


@given(TEXTS)
def test_no_further_line_looks_like_an_entry(text: str) -> None:
    first, *others = indented(text).splitlines() or [""]
    assert all(line.startswith("    ") for line in others)
    assert first == visible(text).split("\n")[0] or not first


@given(TEXTS)
def test_markdown_shows_the_text_and_nothing_else(text: str) -> None:
    """Rendered by a parser that is not ours, HTML allowed: one paragraph at most, and the same words."""
    rendered = MarkdownIt("commonmark", {"html": True}).render(as_markdown(text)).strip()
    inside = re.sub(r"^<p>|</p>$", "", rendered)
    assert "<" not in inside
    words = html.unescape(inside).split()
    assert words == visible(text).split()


@pytest.mark.parametrize(
    "text", ["dbo.aircraft_operator in database nycflights on 127.0.0.1", "s-1.example", "2024-01-01"]
)
def test_ordinary_names_need_no_markdown(text: str) -> None:
    """The list of assets shows a description as it is written, backslashes and all."""
    assert as_markdown(text) == text


@pytest.mark.parametrize("text", ["www.example.com", "_em_", "a.**b**", "1.", "-", "http://x.example"])
def test_what_could_be_markup_or_a_link_is_escaped(text: str) -> None:
    assert "\\" in as_markdown(text)


def test_ordinary_text_stays_as_it_is() -> None:
    for text in ("sales.Orders", "ñandú 日本 😀", "a\tb\nc"):
        assert visible(text) == text


@pytest.mark.parametrize("text", ["\x1b]0;title\x07", "x\rerased", "a\u2028b"])
def test_what_is_not_obeyed_can_still_be_read(text: str) -> None:
    assert "\\" in visible(text)


def test_a_count_agrees_with_its_noun() -> None:
    assert [number_of(count, "row") for count in (0, 1, 2, 1_234)] == ["0 rows", "1 row", "2 rows", "1,234 rows"]
    assert [number_of(count, "second") for count in (0.5, 1.0, 30.0)] == ["0.5 seconds", "1 second", "30 seconds"]
    assert number_of(1, "boundary", "boundaries") == "1 boundary"
    assert number_of(3, "boundary", "boundaries") == "3 boundaries"
