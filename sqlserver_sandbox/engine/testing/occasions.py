"""A statement as an occasion for a fault: its kind and the tables it names."""

from __future__ import annotations

from sqlserver_sandbox.model import Occasion
from sqlserver_sandbox.tsql import syntax as s


def occasion_of(node: s.Statement, kind: str, text: str, database: str) -> Occasion:
    """The statement as an occasion of that kind. `text` is the batch it stands in."""
    found: set[str] = set()
    _collect(node, found)
    return Occasion(kind, text, database, frozenset(found))


def _collect(node: object, found: set[str]) -> None:
    if isinstance(node, s.ObjectName):
        found.add(f"{node.schema or 'dbo'}.{node.name}")
    elif isinstance(node, tuple):
        for part in node:
            _collect(part, found)
    elif hasattr(node, "__dataclass_fields__"):
        for name in node.__dataclass_fields__:
            _collect(getattr(node, name), found)
