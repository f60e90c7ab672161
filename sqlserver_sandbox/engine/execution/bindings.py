"""Bound queries, remembered by all that binding looked at: the same text over the same catalogue is bound once.

Clients ask for the same facts of a catalogue again and again. A query that looked at the session (@@TRANCOUNT, the time of day),
at other sessions or at counted rows is bound at each run.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from sqlserver_sandbox.model import SqlType
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.access import Access
from sqlserver_sandbox.tsql.bind.bound import BoundQuery
from sqlserver_sandbox.tsql.bind.context import VariableValue

KEPT = 512
LONGEST = 4_000
"""Characters of variables. Long values are data, and seldom the same again."""


@dataclass(frozen=True)
class Question:
    """What a binding depends on beside catalogues. `node` is the number of the syntax node, which a `Binding` keeps alive."""

    node: int
    text: str
    database_id: int
    access: Access
    variables: tuple[tuple[str, SqlType, str], ...]


@dataclass(frozen=True)
class Binding:
    """`versions` are those of the catalogues that were looked at; `listed` are the databases that there were, if they were asked
    for."""

    node: s.Query
    bound: BoundQuery
    read: frozenset[tuple[int, int]]
    versions: tuple[tuple[int, int], ...]
    listed: tuple[int, ...] | None


class Bindings:
    """Shared by all sessions of one engine."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._bindings: OrderedDict[Question, Binding] = OrderedDict()

    def get(self, question: Question) -> Binding | None:
        """The newest, whether or not it is current."""
        with self._mutex:
            found = self._bindings.get(question)
            if found is not None:
                self._bindings.move_to_end(question)
            return found

    def put(self, question: Question, binding: Binding) -> None:
        with self._mutex:
            self._bindings[question] = binding
            self._bindings.move_to_end(question)
            if len(self._bindings) > KEPT:
                self._bindings.popitem(last=False)


def variables_as_text(variables: Mapping[str, VariableValue]) -> tuple[tuple[str, SqlType, str], ...] | None:
    """Name, type and value; None where they are too long. As text, because 1 and True are equal, and so are 0.0 and -0.0."""
    texts = tuple((name, v.type, repr(v.value)) for name, v in sorted(variables.items()))
    return texts if sum(len(value) for _, _, value in texts) <= LONGEST else None
