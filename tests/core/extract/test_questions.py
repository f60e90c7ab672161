"""Questions asked together have the answers that each has alone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.errors import QueryError, TransientQueryError
from dltsync_core.extract import questions
from dltsync_core.extract.questions import MayBeRefused, Questions, Rows, ask, ask_together, requests_of
from dltsync_core.tsql.fragments import Statement


class Server:
    """Answers a statement with its own text; remembers every request."""

    def __init__(self, refused: str = "", error: type[QueryError] = QueryError) -> None:
        self.requests: list[list[str]] = []
        self.refused, self.error = refused, error

    def fetch(self, statement: Statement) -> Rows:
        return self.fetch_each([statement])[0]

    def fetch_each(self, statements: Sequence[Statement]) -> list[Rows]:
        self.requests.append([statement.text for statement in statements])
        if self.refused and any(statement.text == self.refused for statement in statements):
            raise self.error(f"{self.refused} is refused")
        return [[(statement.text,)] for statement in statements]


def chain(name: str, length: int) -> Questions[str]:
    """Asks so many statements, each named by the answers before it."""
    heard = name
    for _ in range(length):
        ((text,),) = yield Statement(f"{heard}.")
        heard = str(text)
    return heard


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 4)), max_size=8))
def test_together_and_alone_are_the_same(chains: list[tuple[str, int]]) -> None:
    server = Server()
    together = ask_together(server.fetch, server.fetch_each, [chain(*one) for one in chains])
    assert together == [ask(Server().fetch, chain(*one)) for one in chains]
    assert len(server.requests) == max((length for _, length in chains), default=0), "one request a round"


def test_the_same_statement_is_sent_once_in_a_round() -> None:
    server = Server()
    ask_together(server.fetch, server.fetch_each, [chain("a", 1), chain("a", 1), chain("b", 1)])
    assert server.requests == [["a.", "b."]]


def informed(name: str) -> Questions[str]:
    yield Statement(name)
    try:
        ((text,),) = yield MayBeRefused(Statement("who"))
    except QueryError as refusal:
        return f"{name}: {refusal.problem}"
    return f"{name}: {text}"


def test_a_statement_that_may_be_refused_is_asked_alone_and_once() -> None:
    server = Server(refused="who")
    found = ask_together(server.fetch, server.fetch_each, [informed("a"), informed("b"), chain("c", 2)])
    assert found == ["a: who is refused", "b: who is refused", "c.."]
    assert server.requests == [["a", "b", "c."], ["c.."], ["who"]]


def test_a_refusal_that_may_pass_is_an_error() -> None:
    server = Server(refused="who", error=TransientQueryError)
    with pytest.raises(TransientQueryError):
        ask(server.fetch, informed("a"))


def test_an_error_of_one_statement_is_that_of_all() -> None:
    server = Server(refused="b.")
    with pytest.raises(QueryError, match=r"b\. is refused"):
        ask_together(server.fetch, server.fetch_each, [chain("a", 2), chain("b", 1)])


def test_requests_are_bounded_by_text_and_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "MOST_CHARACTERS", 10)
    monkeypatch.setattr(questions, "MOST_PARAMETERS", 3)
    texts = [Statement("x" * size) for size in (4, 4, 4, 50, 1)]
    assert [[len(one.text) for one in part] for part in requests_of(texts)] == [[4, 4], [4], [50], [1]]
    valued = [Statement("x", ("1", "2")) for _ in range(3)]
    assert [len(part) for part in requests_of(valued)] == [1, 1, 1]
    assert list(requests_of([])) == []
