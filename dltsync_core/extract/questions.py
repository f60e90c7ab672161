"""Questions to the server whose next statement may depend on the last answer, asked alone or many together.

Questions are a generator: it yields statements, is sent the rows of each, and returns an answer. Many are asked in rounds: the
first statement of each in one request, then the second of those that have one. Tables that did not change so cost a few
requests, however many they are.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from dltsync_core.errors import CatalogError, QueryError, TransientQueryError
from dltsync_core.tsql.fragments import Statement

Rows: TypeAlias = list[tuple[Any, ...]]
Fetch: TypeAlias = Callable[[Statement], Rows]
"""Sends a statement and returns its rows."""
FetchEach: TypeAlias = Callable[[Sequence[Statement]], list[Rows]]
"""Sends statements in one request and returns the rows of each."""

T = TypeVar("T")

MOST_CHARACTERS = 250_000
"""Of one request: the text of a probe grows with the table's columns, and the server compiles it whole."""
MOST_PARAMETERS = 1_000
"""Of one request. SQL Server takes 2,100."""


@dataclass(frozen=True)
class MayBeRefused:
    """A statement that only informs and that the server may refuse: it is asked alone, and who asks hears the refusal."""

    statement: Statement


Asked: TypeAlias = "Statement | MayBeRefused"
Questions: TypeAlias = Generator[Asked, Rows, T]


def ask(fetch: Fetch, questions: Questions[T]) -> T:
    """The answer, by one request for each statement. Raises what `fetch` and the questions raise."""
    (answer,) = ask_together(fetch, lambda statements: [fetch(statement) for statement in statements], [questions])
    return answer


def ask_together(fetch: Fetch, fetch_each: FetchEach, questions: Sequence[Questions[T]]) -> list[T]:
    """The answers in order, by few requests: the same statement is asked once in a round. Raises what the fetches and the
    questions raise; then no answer is known, and whose statement it was that failed is not known either."""
    answers: dict[int, T] = {}
    pending: dict[int, Asked] = {}

    def go_on(number: int, step: Callable[[], Asked]) -> None:
        try:
            pending[number] = step()
        except StopIteration as end:
            pending.pop(number, None)
            answers[number] = end.value

    for number, each in enumerate(questions):
        go_on(number, each.__next__)
    while pending:
        round_ = dict(pending)
        together = list(dict.fromkeys(asked for asked in round_.values() if isinstance(asked, Statement)))
        found: dict[Asked, Rows | SyncRefusal] = {}
        for part in requests_of(together):
            found.update(zip(part, fetch_each(part), strict=True))
        for asked in dict.fromkeys(round_.values()):
            if isinstance(asked, MayBeRefused):
                found[asked] = _rows_or_refusal(fetch, asked.statement)
        for number, asked in round_.items():
            rows, each = found[asked], questions[number]
            if isinstance(rows, list):
                go_on(number, lambda each=each, rows=rows: each.send(rows))  # type: ignore[misc]
            else:
                go_on(number, lambda each=each, refusal=rows: each.throw(refusal))  # type: ignore[misc]
    return [answers[number] for number in range(len(questions))]


SyncRefusal: TypeAlias = "QueryError | CatalogError"


def _rows_or_refusal(fetch: Fetch, statement: Statement) -> Rows | SyncRefusal:
    try:
        return fetch(statement)
    except TransientQueryError:
        raise
    except (QueryError, CatalogError) as refusal:
        return refusal


def requests_of(statements: Sequence[Statement]) -> Iterator[list[Statement]]:
    """As many statements at a time as one request may hold."""
    part: list[Statement] = []
    characters = parameters = 0
    for statement in statements:
        characters += len(statement.text)
        parameters += len(statement.parameters)
        if part and (characters > MOST_CHARACTERS or parameters > MOST_PARAMETERS):
            yield part
            part, characters, parameters = [], len(statement.text), len(statement.parameters)
        part.append(statement)
    if part:
        yield part


def fetch_once(fetch: Fetch, answers: dict[Statement, Rows]) -> Fetch:
    """The same statement has one answer in a view, which `answers` hold; without SNAPSHOT isolation the earlier one is safe: the
    next probe detects rows that changed after it."""

    def fetched(statement: Statement) -> Rows:
        if statement not in answers:
            answers[statement] = fetch(statement)
        return answers[statement]

    return fetched
