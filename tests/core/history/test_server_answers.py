"""Keys that may be one become one, or two, by the server's answers alone."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.history.collation import CollationRule
from dltsync_core.history.repair import plan_repair
from dltsync_core.history.server_answers import LARGEST_GROUP, pairs_to_ask, with_answers
from dltsync_core.history.versions import Version, VersionColumns
from dltsync_core.tsql.collations import TextPair

RULE = CollationRule("French_CI_AI")
COLUMNS = VersionColumns(("Key",), "From", "To", "IsLatest", (RULE,))
TEXTS = st.lists(st.text("eEéÉèÈaA ", min_size=1, max_size=2), max_size=8)


def versions_of(texts: list[str]) -> list[Version]:
    versions = [
        Version(row, (text,), row, None, True, entity=(RULE.same_as(text),), like=(RULE.like(text),))
        for row, text in enumerate(texts)
    ]
    return sorted(versions, key=lambda v: (v.like, v.entity, v.valid_from, v.row))


def entities(versions: list[Version]) -> dict[int, tuple[str | None, ...]]:
    return {version.row: version.entity for version in versions}


@given(TEXTS, st.sampled_from([str.lower, lambda text: text.lower().replace("é", "e"), lambda text: text]))
def test_keys_are_one_exactly_when_the_server_says_so(texts: list[str], server: object) -> None:
    """Whatever rule the server has: it is asked about every pair that matters, and no two keys become one that it tells apart."""
    assert callable(server)
    versions = versions_of(texts)
    answers = {pair: server(pair.left) == server(pair.right) for pair in pairs_to_ask(versions, COLUMNS)}
    found = with_answers(versions, COLUMNS, answers)
    assert {version.row for version in found} == set(range(len(texts)))
    by_row, like = entities(found), {version.row: RULE.like(version.key[0] or "") for version in found}
    for one in by_row:
        for other in by_row:
            same_text = RULE.same_as(texts[one]) == RULE.same_as(texts[other])
            same = like[one] == like[other] and server(RULE.same_as(texts[one])) == server(RULE.same_as(texts[other]))
            assert (by_row[one] == by_row[other]) is (same_text or same)
    assert not [f for f in plan_repair(found, COLUMNS).findings if f.kind == "possible_same_key"]


@given(TEXTS, st.data())
def test_a_group_with_a_pair_that_has_no_answer_stays_as_it_is(texts: list[str], data: st.DataObject) -> None:
    versions = versions_of(texts)
    pairs = sorted(set(pairs_to_ask(versions, COLUMNS)), key=lambda pair: (pair.left, pair.right))
    if not pairs:
        return
    missing = data.draw(st.sampled_from(pairs))
    found = with_answers(versions, COLUMNS, {pair: True for pair in pairs if pair != missing})
    group = RULE.like(missing.left)
    assert {v for v in versions if v.like == (group,)} == {v for v in found if v.like == (group,)}
    assert [f.kind for f in plan_repair(found, COLUMNS).findings].count("possible_same_key") >= 1


def test_answers_that_contradict_one_another_change_nothing() -> None:
    versions = versions_of(["e", "é", "è"])
    answers: Mapping[TextPair, bool] = {
        pair: {pair.left, pair.right} != {"é", "è"} for pair in pairs_to_ask(versions, COLUMNS)
    }
    assert with_answers(versions, COLUMNS, answers) == versions


def test_a_version_ends_where_one_with_another_form_of_the_key_begins() -> None:
    versions = versions_of(["Né", "né"])
    answers = dict.fromkeys(pairs_to_ask(versions, COLUMNS), True)
    plan = plan_repair(with_answers(versions, COLUMNS, answers), COLUMNS)
    assert [(change.before.key, change.after.valid_to) for change in plan.changes] == [(("Né",), 1)]


def test_a_group_too_large_to_ask_about_is_not_asked_about() -> None:
    texts = ["".join("Éé"[number >> bit & 1] for bit in range(5)) for number in range(LARGEST_GROUP + 1)]
    assert not list(pairs_to_ask(versions_of(texts), COLUMNS))


@pytest.mark.parametrize(("text", "asked"), [("é", True), ("é" * 4001, False), ("é\0", False)])
def test_a_text_that_no_parameter_holds_is_not_asked_about(text: str, asked: bool) -> None:
    versions = versions_of([text, text.replace("é", "e")])
    assert bool(list(pairs_to_ask(versions, COLUMNS))) is asked
