"""Functions on objects whose names or numbers stand in columns: what SQLAlchemy's reflection asks of constraints.

`functions_system` answers for constants while binding. Here every object of the database becomes a branch of a CASE.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlserver_sandbox.tsql.bind import functions_system
from sqlserver_sandbox.tsql.bind.arguments import INT, as_int, exactly, known_text
from sqlserver_sandbox.tsql.bind.bound import Bound, computed, constant
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.values.storage import text_literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlserver_sandbox.tsql.bind.protocols import ExpressionBinder
    from sqlserver_sandbox.tsql.catalogue import Database
    from sqlserver_sandbox.tsql.syntax import Call

_IS_CLUSTERED_KEY = "cnstisclustkey"


def object_id_of_column(binder: ExpressionBinder, node: Call) -> Bound:
    """OBJECT_ID of a name that a column holds: `schema.name`, without quotes and in either case."""
    args = exactly(binder, node, 1, 2)
    if args[0].constant is not None or len(args) > 1:
        return functions_system.RULES["object_id"](binder, node)
    branches = " ".join(
        f"WHEN {text_literal(name.lower())} THEN {number}" for name, number in _numbers(binder.context.database).items()
    )
    text = f"CASE lower({args[0].sql}) {branches} END" if branches else "CAST(NULL AS INTEGER)"
    return computed(text, INT, args[0], nullable=True)


def object_property(binder: ExpressionBinder, node: Call) -> Bound:
    """Whether a constraint is a clustered key; other properties where `functions_system` has them. NULL for another object."""
    number, which = exactly(binder, node, 2)
    name = (known_text(which, "a property name") or "").strip().lower()
    if name != _IS_CLUSTERED_KEY:
        if (other := functions_system.RULES.get(node.name)) is not None:
            return other(binder, node)
        raise refused(f"OBJECTPROPERTY(…, '{name}')", line=node.line)
    keys = {
        index.key_object_id: int(index.index_id == 1)
        for table in binder.context.database.tables
        for index in table.indexes
        if index.key_kind
    }
    wanted = as_int(number)
    if wanted.constant is not None:
        value = wanted.constant.value
        return constant(keys.get(int(str(value))) if value is not None else None, INT)
    branches = " ".join(f"WHEN {key} THEN {clustered}" for key, clustered in keys.items())
    text = f"CASE {wanted.sql} {branches} END" if branches else "CAST(NULL AS INTEGER)"
    return computed(text, INT, wanted, nullable=True)


def _numbers(database: Database) -> dict[str, int]:
    """The object numbers of tables and keys by `schema.name`."""
    found: dict[str, int] = {}
    for table in database.tables:
        schema = database.schema_by_id(table.schema_id).name
        found[f"{schema}.{table.name}"] = table.object_id
        found |= {f"{schema}.{index.name}": index.key_object_id for index in table.indexes if index.key_kind}
    return found


RULES: dict[str, Callable[[ExpressionBinder, Call], Bound]] = {
    "object_id": object_id_of_column,
    "objectproperty": object_property,
}
