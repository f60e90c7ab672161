"""Bound queries, remembered by all that binding looked at: the same text over the same catalogue is bound once.

Clients ask for the same facts of a catalogue again and again. A query that looked at the session (@@TRANCOUNT, the time of day),
at other sessions or at counted rows is bound at each run.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlserver_sandbox.engine.store.store import Store
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.bind.bound import BoundQuery

if TYPE_CHECKING:
    from sqlserver_sandbox.engine.execution.execution import Execution

KEPT = 512
LONGEST = 4_000
"""Characters of variables. Long values are data, and seldom the same again."""


@dataclass(frozen=True)
class _Binding:
    """`node` is kept so that no other has its id. `versions` are those of the catalogues that were looked at; `listed` are the
    databases that there were, if they were asked for."""

    node: s.Query
    bound: BoundQuery
    read: frozenset[tuple[int, int]]
    versions: tuple[tuple[int, int], ...]
    listed: tuple[int, ...] | None


class Bindings:
    """Shared by all sessions of one engine."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._bindings: OrderedDict[Hashable, _Binding] = OrderedDict()

    def query(self, execution: Execution, node: s.Query) -> BoundQuery:
        """The query bound, and in the statement's context the tables that it reads. Raises what binding raises."""
        key = _key(execution, node)
        if key is None:
            return execution.queries.query(node, top_level=True)
        with self._mutex:
            found = self._bindings.get(key)
        if found is not None and _is_current(execution, found):
            execution.context.read.update(found.read)
            return found.bound
        context, catalogue = execution.context, execution.catalogue
        before = set(context.read)
        bound = execution.queries.query(node, top_level=True)
        if before or context.asked_session or catalogue.is_passing:
            return bound
        made = _Binding(node, bound, frozenset(context.read), catalogue.versions, catalogue.listed)
        with self._mutex:
            self._bindings[key] = made
            self._bindings.move_to_end(key)
            if len(self._bindings) > KEPT:
                self._bindings.popitem(last=False)
        return bound


def _key(execution: Execution, node: s.Query) -> Hashable | None:
    """What a binding depends on beside catalogues; None where test answers may change those."""
    session = execution.session
    if session.canned.allowed:
        return None
    # As text: 1 and True are equal, and so are 0.0 and -0.0.
    variables = tuple((name, v.type, repr(v.value)) for name, v in sorted(execution.variables.items()))
    if sum(len(value) for _, _, value in variables) > LONGEST:
        return None
    return (id(node), execution.text, session.database_id, execution.access, variables)


def _is_current(execution: Execution, binding: _Binding) -> bool:
    store: Store = execution.store
    if binding.listed is not None and binding.listed != tuple(store.database_ids()):
        return False
    return all(
        store.newest(database_id) is not None and execution.catalogue.by_id(database_id).version == version
        for database_id, version in binding.versions
    )
