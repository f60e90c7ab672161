"""What may be said of a statement to whoever wants it to go wrong: its kind and the tables it names."""

from __future__ import annotations

from sqlserver_sandbox.model import Occasion
from sqlserver_sandbox.tsql import syntax as s

_KINDS: dict[type, str] = {
    s.SelectStatement: "select",
    s.Insert: "insert",
    s.InsertBulk: "insert",
    s.Update: "update",
    s.Delete: "delete",
    s.TruncateTable: "truncate",
    s.SetOption: "set",
    s.SetIsolation: "set",
    s.Execute: "procedure",
    s.Use: "other",
    s.Declare: "other",
    s.SetVariable: "other",
    s.Print: "other",
    s.Throw: "other",
    s.Raiserror: "other",
}
"""What is not here defines something."""


def occasion_of(node: s.Statement, text: str, database: str) -> Occasion:
    """The statement as an occasion. `text` is the batch it stands in."""
    kind = node.action if isinstance(node, s.Transaction) else _KINDS.get(type(node), "definition")
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
