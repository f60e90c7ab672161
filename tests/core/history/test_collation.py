"""Spellings: what is surely one entity, what may be, and what is not, by the name of the source's collation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.history.collation import CollationRule
from dltsync_core.history.repair import plan_repair
from dltsync_core.history.versions import Version, VersionColumns

ONE, DOUBT, TWO = "one", "doubt", "two"
CI, CI_AI, CS = "Latin1_General_CI_AS", "SQL_Latin1_General_CP1_CI_AI", "Latin1_General_100_CS_AS"


def judged(collation: str | None, left: str, right: str) -> str:
    spelling = CollationRule(collation)
    if spelling.same_as(left) == spelling.same_as(right):
        return ONE
    return DOUBT if spelling.like(left) == spelling.like(right) else TWO


@pytest.mark.parametrize(
    "collation", [CI, CI_AI, CS, "Latin1_General_BIN2", "Latin1_General_BIN", "Turkish_CI_AS", None]
)
def test_blanks_at_the_end_never_count_and_others_do(collation: str | None) -> None:
    assert judged(collation, "é", "é  ") == ONE
    assert judged(collation, "a b", "ab") == TWO
    assert judged(collation, " a", "a") == TWO


@pytest.mark.parametrize(
    ("collation", "left", "right", "verdict"),
    [
        # case: settled in ASCII where letters are compared one by one, a doubt elsewhere
        (CI, "acme", "ACME", ONE),
        ("SQL_Latin1_General_CP1_CI_AS", "acme", "ACME", ONE),
        ("sql_latin1_general_cp1_ci_as", "acme", "ACME", ONE),
        ("Latin1_General_100_CI_AS_SC_UTF8", "acme", "ACME", ONE),
        (CS, "acme", "ACME", TWO),
        ("Latin1_General_BIN2", "acme", "ACME", TWO),
        ("Latin1_General_100_BIN2_UTF8", "acme", "ACME", TWO),
        ("Latin1_General_BIN", "é", "É", TWO),
        (CI, "é", "É", DOUBT),
        (CS, "é", "É", TWO),
        ("Hungarian_CI_AS", "cs", "cS", DOUBT),
        ("Turkish_CI_AS", "INT", "int", DOUBT),
        ("Turkish_CI_AS", "İnt", "int", DOUBT),
        ("SQL_Latin1_General_CP1254_CI_AS", "INT", "int", DOUBT),
        # accents
        (CI, "Café", "Cafe", TWO),
        (CI, "Café", "Cafe\u0301", DOUBT),
        (CI_AI, "Café", "CAFE", DOUBT),
        (CI, "Ørsted", "Orsted", TWO),
        (CI_AI, "Ørsted", "Orsted", DOUBT),
        ("Japanese_CI_AS", "が", "か", TWO),
        ("Japanese_CI_AI", "が", "か", DOUBT),
        # letters that expand, width, kana, digits, what may weigh nothing
        (CI, "Straße", "STRASSE", DOUBT),
        (CS, "Straße", "Strasse", DOUBT),
        (CI, "Æsop", "aesop", DOUBT),
        (CI, "ａｂｃ", "ABC", DOUBT),
        (CI, "ｶﾅ", "かな", DOUBT),
        (CI, "A１", "a1", DOUBT),
        (CI, "٣", "3", DOUBT),
        (CI, "A\u00adB", "AB", DOUBT),
        (CI, "A\x01B", "AB", DOUBT),
        (CI, "😀", "😁", DOUBT),
        (CI, "a\u3000", "a", DOUBT),
        (CI, "日本", "日木", TWO),
        (CI, "A-1", "A1", TWO),
        # letters that one language takes for others: the filter does not know them
        ("Finnish_Swedish_CI_AS", "v", "W", TWO),
        ("Danish_Norwegian_CI_AS", "Aarhus", "århus", TWO),
        ("German_PhoneBook_CI_AS", "Müller", "Mueller", TWO),
        (CI, "v", "W", TWO),
        (CI, "Müller", "Mueller", TWO),
        # not known
        (None, "acme", "ACME", DOUBT),
        (None, "Café", "cafe", DOUBT),
        (None, "acme", "acne", TWO),
    ],
)
def test_the_collation_decides(collation: str | None, left: str, right: str, verdict: str) -> None:
    assert judged(collation, left, right) == verdict
    assert judged(collation, right, left) == verdict


COLLATIONS = st.sampled_from(
    [
        CI,
        CI_AI,
        CS,
        "Latin1_General_BIN2",
        "Turkish_CI_AS",
        "Hungarian_CI_AS",
        "Danish_Norwegian_CI_AI",
        "Thai_CS_AI",
        None,
    ]
)
TEXTS = st.text(st.sampled_from("aAbBcCsSiIzZ éÉéßıİæÆ\u0301\u00adａかカ٣1-\t😀wvyü"), max_size=6)


@given(COLLATIONS, st.lists(st.text(max_size=6) | TEXTS, max_size=6))
def test_what_is_surely_one_may_be_one(collation: str | None, texts: list[str]) -> None:
    """Entities lie within likenesses: no entity is torn apart, and nothing that is the same text is ever two."""
    spelling = CollationRule(collation)
    spelt = [*texts, *(text + "  " for text in texts), *(text.swapcase() for text in texts)]
    likenesses: dict[str, set[str]] = {}
    for text in spelt:
        likenesses.setdefault(spelling.same_as(text), set()).add(spelling.like(text))
        assert spelling.same_as(text + " ") == spelling.same_as(text)
    assert all(len(likes) == 1 for likes in likenesses.values())


@given(
    COLLATIONS, st.lists(st.tuples(TEXTS, st.integers(0, 5), st.none() | st.integers(0, 7), st.booleans()), max_size=8)
)
def test_every_change_is_within_one_entity_that_nothing_else_is_like(
    collation: str | None, rows: list[tuple[str, int, int | None, bool]]
) -> None:
    spelling = CollationRule(collation)
    versions = sorted(
        (
            Version(row, (key,), start, end, latest, entity=(spelling.same_as(key),), like=(spelling.like(key),))
            for row, (key, start, end, latest) in enumerate(rows)
        ),
        key=lambda v: (v.like, v.entity, v.valid_from, v.row),
    )
    columns = VersionColumns(("Key",), "From", "To", "IsLatest", (spelling,))
    plan = plan_repair(versions, columns)
    for change in plan.changes:
        assert {v.entity for v in versions if v.like == change.before.like} == {change.before.entity}
    doubtful = [f for f in plan.findings if f.kind == "possible_same_key"]
    assert len(doubtful) == sum(
        len({v.entity for v in versions if v.like == like}) > 1 for like in {v.like for v in versions}
    )
    told = {spelling.like(f.key[0] or "") for f in doubtful}
    assert not [f for f in plan.findings if f.kind != "possible_same_key" and spelling.like(f.key[0] or "") in told]


def test_only_the_first_spellings_are_told() -> None:
    versions = [
        Version(n, (t,), 1, None, True, (t,), ("a",)) for n, t in enumerate(["a", "Á", "à", "â", "ã", "ä", "å"])
    ]
    columns = VersionColumns(("Key",), "From", "To", "IsLatest", (CollationRule("French_CI_AI"),))
    (finding,) = plan_repair(versions, columns).findings
    assert finding.detail.endswith(
        "and 2 more are written differently and may be one entity under the collation French_CI_AI of Key"
    )
