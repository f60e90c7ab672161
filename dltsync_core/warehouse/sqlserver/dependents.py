"""What depends on a column that is to get a wider type, or to admit NULL: SQL Server refuses ALTER COLUMN for it (5074, 4922). A
pure decision.

Conditions are those of ALTER TABLE … ALTER COLUMN in Microsoft's reference. For a column that only admits NULL from now on it
names one exception, statistics. Servers allow more: a column with an index became NULL on SQL Server 2008 R2, and Microsoft's
own Entity Framework leaves indexes alone there. So what is found for such a column may stand against it, and the server
decides. Indexes, keys and CHECK constraints can be
dropped and made again with their names in the transaction of the change; the others are left to their owners.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dltsync_core.catalog.targets import (
    CLUSTERED,
    CLUSTERED_COLUMNSTORE,
    NONCLUSTERED,
    CheckFacts,
    IndexFacts,
    TargetFacts,
)
from dltsync_core.identity import dotted
from dltsync_core.tsql.fragments import Identifier, sql

_LENGTHENED = frozenset({"varchar", "nvarchar", "varbinary"})
_BASE = re.compile(r"\w+")


@dataclass(frozen=True)
class Dependent:
    """One object that depends on a column. `index` or `check` is what it is made again from; None where dltsync leaves it
    alone."""

    kind: str
    name: str
    index: IndexFacts | None = None
    check: CheckFacts | None = None

    @property
    def can_be_made_again(self) -> bool:
        return self.index is not None or self.check is not None

    def __str__(self) -> str:
        return f"{self.kind} {dotted(self.name)}"


def dependents_of(found: TargetFacts, column: str, before: str, after: str) -> Iterator[Dependent]:
    """The objects that forbid another type of a column; `before` and `after` are declared types. Where they are the same the
    column is to admit NULL, and the objects may forbid that."""
    base, other = _base(before), _base(after)
    is_lengthened = base == other and base in _LENGTHENED and ("(max)" not in after or before == after)
    folded = column.casefold()
    for index in found.indexes:
        names = {name.casefold() for name in (*(key for key, _ in index.keys), *index.included)}
        if index.name is None or index.kind == CLUSTERED_COLUMNSTORE or folded not in names:
            continue
        if index.is_primary_key or not is_lengthened:
            yield _of_index(index, folded, "" if before == after else after)
    mentioned = sql("{name}", name=Identifier(column)).render().text.casefold()  # as the catalogue writes definitions
    for check in found.checks:
        if not is_lengthened and (check.definition is None or mentioned in check.definition.casefold()):
            again = check.definition is not None and not check.is_disabled and not check.is_not_for_replication
            yield Dependent("CHECK constraint", check.name, check=check if again else None)
    for one in found.dependents:
        if one.kind == "computed column":
            depends = one.used is None or mentioned in one.used.casefold()
        else:
            depends = one.used is not None and one.used.casefold() == folded
        harmless = (one.kind == "statistics" and (is_lengthened or before == after)) or (
            one.kind == "default constraint" and base == other
        )
        if depends and not harmless:
            yield Dependent(one.kind, one.name)


def _of_index(index: IndexFacts, column: str, after: str) -> Dependent:
    """`after` is the type that the column gets, empty where it stays as it is."""
    kind = "primary key" if index.is_primary_key else "unique constraint" if index.is_unique_constraint else "index"
    copied = index.kind in {CLUSTERED, NONCLUSTERED} and not index.has_filter and not index.is_disabled
    fits = "(max)" not in after or column not in {name.casefold() for name, _ in index.keys}
    return Dependent(kind, str(index.name), index=index if copied and fits else None)


def _base(declared: str) -> str:
    found = _BASE.match(declared)
    return found[0] if found is not None else declared
