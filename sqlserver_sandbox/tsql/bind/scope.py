"""Names in reach: the columns of FROM, one scope inside another."""

from __future__ import annotations

from dataclasses import dataclass

from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql.bind.bound import Bound
from sqlserver_sandbox.tsql.copies import replace
from sqlserver_sandbox.tsql.syntax import Name


@dataclass(frozen=True)
class ScopeSource:
    """One table of FROM: the name it is known by (and schema and database, when it is a table) and its columns in order."""

    name: str
    columns: tuple[Bound, ...]
    schema: str = ""
    database: str = ""
    aliased: bool = False

    def answers_to(self, qualifier: tuple[str, ...]) -> bool:
        """Whether `qualifier` (alias, table, schema.table or database.schema.table) names this source."""
        parts = [q.lower() for q in qualifier]
        if parts[-1] != self.name.lower():
            return False
        if len(parts) == 1:
            return True
        if self.aliased:
            return False
        own = [self.schema.lower(), self.database.lower()]
        return all(q in ("", mine) for q, mine in zip(reversed(parts[:-1]), own, strict=False))


@dataclass(frozen=True)
class Scope:
    """The sources of one SELECT, and the scope around it."""

    sources: tuple[ScopeSource, ...] = ()
    outer: Scope | None = None

    def with_sources(self, *sources: ScopeSource) -> Scope:
        return replace(self, sources=(*self.sources, *sources))

    def find(self, name: Name) -> Bound:
        """The column. Raises 207, 209 or 4104."""
        scope: Scope | None = self
        while scope is not None:
            found = scope._own(name)
            if found is not None:
                return found
            scope = scope.outer
        if len(name.parts) > 1:
            raise SqlError(
                4104, f'The multi-part identifier "{".".join(name.parts)}" could not be bound.', line=name.line
            )
        raise SqlError(207, f"Invalid column name '{name.parts[0]}'.", line=name.line)

    def _own(self, name: Name) -> Bound | None:
        column, qualifier = name.parts[-1].lower(), name.parts[:-1]
        sources = [s for s in self.sources if not qualifier or s.answers_to(qualifier)]
        found = [c for s in sources for c in s.columns if c.name.lower() == column]
        if len(found) > 1:
            raise SqlError(209, f"Ambiguous column name '{name.parts[-1]}'.", line=name.line)
        if found:
            return found[0]
        if sources and qualifier:
            raise SqlError(207, f"Invalid column name '{name.parts[-1]}'.", line=name.line)
        return None

    def star(self, qualifier: tuple[str, ...]) -> tuple[Bound, ...]:
        """The columns of * or alias.*; 107 when no source has that name."""
        sources = [s for s in self.sources if not qualifier or s.answers_to(qualifier)]
        if not sources and qualifier:
            raise SqlError(
                107,
                f"The column prefix '{'.'.join(qualifier)}' does not match with a table name or alias name used in the query.",
                class_=15,
            )
        return tuple(c for s in sources for c in s.columns)
