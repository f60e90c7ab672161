"""FROM as DuckDB text: tables, system views, derived tables, joins, APPLY."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.bind.arguments import known_text, nvarchar
from sqlserver_sandbox.tsql.bind.bound import Bound
from sqlserver_sandbox.tsql.bind.conversions import convert
from sqlserver_sandbox.tsql.bind.functions_system import SYSTEM_SCHEMAS
from sqlserver_sandbox.tsql.bind.permissions import my_permissions
from sqlserver_sandbox.tsql.bind.scope import Scope, ScopeSource
from sqlserver_sandbox.tsql.bind.unify import common_type
from sqlserver_sandbox.tsql.catalogue import Database, Table
from sqlserver_sandbox.tsql.copies import replace
from sqlserver_sandbox.tsql.refusal import refused

if TYPE_CHECKING:
    from sqlserver_sandbox.tsql.bind.context import Context
    from sqlserver_sandbox.tsql.bind.protocols import SubqueryBinder


@dataclass(frozen=True)
class BoundSource:
    """DuckDB text for FROM, and the sources it brings into scope."""

    sql: str
    sources: tuple[ScopeSource, ...]


def bind_source(binder: SubqueryBinder, node: s.Source, scope: Scope) -> BoundSource:
    """`scope` holds what is to the left: only APPLY may see it."""
    if isinstance(node, s.TableSource):
        return _table(binder, node, scope)
    if isinstance(node, s.DerivedTable):
        return _derived(binder, node.query, node.alias, node.columns, scope.outer)
    if isinstance(node, s.ValuesTable):
        return _values(binder, node, Scope(outer=scope.outer))
    return _join(binder, node, scope)


def resolve_table(context: Context, name: s.ObjectName) -> tuple[Database, Table]:
    """A user table. Raises 208, 911, 40515's like for other servers."""
    if name.server:
        raise refused("linked servers (four-part names)", line=name.line)
    if name.name.startswith("#"):
        raise refused("temporary tables", line=name.line)
    database = context.catalogue.database(name.database) if name.database else context.database
    table = database.table(name.schema, name.name) if database else None
    if database is None or table is None:
        raise SqlError(208, f"Invalid object name '{name}'.", line=name.line)
    return database, table


def table_columns(table: Table, alias: str) -> tuple[Bound, ...]:
    return tuple(
        Bound(
            f"{alias}.{c.physical}", c.type, c.nullable, label="implicit", identity=c.identity is not None, name=c.name
        )
        for c in table.columns
    )


def _table(binder: SubqueryBinder, node: s.TableSource, scope: Scope) -> BoundSource:
    context, name = binder.context, node.name
    if len(name.parts) == 1 and name.name.lower() in binder.ctes:
        return _common(binder, node)
    alias = context.alias()
    if node.arguments is not None:
        return _permissions(binder, node, alias)
    if name.schema.lower() in SYSTEM_SCHEMAS:
        return _system(context, node, alias)
    database, table = resolve_table(context, name)
    context.touch(database, table, name.line)
    schema = database.schema_by_id(table.schema_id).name
    source = ScopeSource(
        node.alias or table.name, table_columns(table, alias), schema, database.name, node.alias is not None
    )
    return BoundSource(f"{database.alias}.main.{table.physical} AS {alias}", (source,))


def _permissions(binder: SubqueryBinder, node: s.TableSource, alias: str) -> BoundSource:
    """fn_my_permissions(securable, class)."""
    given = [binder.binder(Scope()).bind(a) for a in node.arguments or ()]
    if len(given) != 2:
        raise SqlError(
            313, f"An insufficient number of arguments were supplied for the procedure or function {node.name}."
        )
    securable, kind = (known_text(a, "fn_my_permissions arguments") for a in given)
    columns = tuple(
        Bound(f"{alias}.{n}", nvarchar(128 if n != "permission_name" else 60), True, label="implicit", name=n)
        for n in ("entity_name", "subentity_name", "permission_name")
    )
    source = ScopeSource(node.alias or node.name.name, columns, aliased=True)
    return BoundSource(f"{my_permissions(binder.context, securable, kind)} AS {alias}", (source,))


def _system(context: Context, node: s.TableSource, alias: str) -> BoundSource:
    name = node.name
    database = context.catalogue.database(name.database) if name.database else context.database
    view = context.catalogue.system_view(database, name.schema, name.name) if database else None
    if database is None or view is None:
        raise refused(f"the system view {name}", line=name.line)
    columns = tuple(
        Bound(
            f'{alias}."{c.name}"', c.type, c.nullable, label="implicit", name=c.name, variants=c.variants, plain=c.plain
        )
        for c in view.columns
    )
    source = ScopeSource(node.alias or name.name, columns, name.schema, database.name, node.alias is not None)
    return BoundSource(f"{view.relation} AS {alias}", (source,))


def _common(binder: SubqueryBinder, node: s.TableSource) -> BoundSource:
    common = binder.ctes[node.name.name.lower()]
    key = common.name.lower()
    if key in binder.expanding:
        raise refused("recursive common table expressions", line=node.name.line)
    # A common table sees those before it, and none of the query that uses it.
    earlier = {}
    for other, value in binder.ctes.items():
        if other == key:
            earlier[other] = value
            break
        earlier[other] = value
    inside = binder.inside(earlier, key)
    return _derived(inside, common.query, node.alias or common.name, common.columns, None)


def _derived(
    binder: SubqueryBinder, query: s.Query, name: str, names: tuple[str, ...], outer: Scope | None
) -> BoundSource:
    bound = binder.query(query, outer)
    if bound.assigns:
        raise SqlError(102, "Incorrect syntax near '='.", class_=15)
    alias = binder.context.alias()
    columns = _named(bound.columns, names, name)
    source = ScopeSource(name, tuple(replace(c, sql=f"{alias}.c{i}") for i, c in enumerate(columns, 1)), aliased=True)
    return BoundSource(f"({bound.sql}) AS {alias}", (source,))


def _named(columns: tuple[Bound, ...], names: tuple[str, ...], table: str) -> tuple[Bound, ...]:
    """The columns under the names a derived table gives them. Raises 8158, 8159, 8155, 8156."""
    if names:
        if len(names) < len(columns):
            raise SqlError(8158, f"'{table}' has more columns than were specified in the column list.")
        if len(names) > len(columns):
            raise SqlError(8159, f"'{table}' has fewer columns than were specified in the column list.")
        columns = tuple(replace(c, name=n) for c, n in zip(columns, names, strict=True))
    seen: set[str] = set()
    for number, column in enumerate(columns, 1):
        if not column.name:
            raise SqlError(8155, f"No column name was specified for column {number} of '{table}'.")
        if column.name.lower() in seen:
            raise SqlError(8156, f"The column '{column.name}' was specified multiple times for '{table}'.")
        seen.add(column.name.lower())
    return columns


def _values(binder: SubqueryBinder, node: s.ValuesTable, scope: Scope) -> BoundSource:
    rows, columns = _bind_rows(binder, node, scope)
    alias = binder.context.alias()
    text = " UNION ALL ".join("SELECT " + ", ".join(f"{v.sql} AS c{i}" for i, v in enumerate(row, 1)) for row in rows)
    source = ScopeSource(
        node.alias, tuple(replace(c, sql=f"{alias}.c{i}") for i, c in enumerate(columns, 1)), aliased=True
    )
    return BoundSource(f"({text}) AS {alias}", (source,))


def _bind_rows(
    binder: SubqueryBinder, node: s.ValuesTable, scope: Scope
) -> tuple[list[list[Bound]], tuple[Bound, ...]]:
    expressions = binder.binder(scope)
    bound = [[expressions.bind(v) for v in row] for row in node.rows]
    if any(len(row) != len(bound[0]) for row in bound):
        raise SqlError(10709, "The number of columns for each row in a table value constructor must be the same.")
    kinds = [common_type(column, "UNION") for column in zip(*bound, strict=True)]
    rows = [[convert(v, t, explicit=False) for v, (t, _) in zip(row, kinds, strict=True)] for row in bound]
    columns = tuple(
        Bound(
            f"c{i}",
            t,
            any(row[i - 1].nullable for row in rows),
            label=label,
            volatile=any(row[i - 1].volatile for row in rows),
        )
        for i, (t, label) in enumerate(kinds, 1)
    )
    return rows, _named(columns, node.columns, node.alias)


# ---- joins -------------------------------------------------------------------------------------------------------
_WORDS = {"inner": "JOIN", "left": "LEFT JOIN", "right": "RIGHT JOIN", "full": "FULL JOIN", "cross": "CROSS JOIN"}


def _join(binder: SubqueryBinder, node: s.Join, scope: Scope) -> BoundSource:
    left = bind_source(binder, node.left, scope)
    if node.kind.endswith("apply"):
        return _apply(binder, node, left, scope)
    right = bind_source(binder, node.right, scope)
    _check_names(left.sources, right.sources)
    if node.kind in ("left", "full"):
        right = replace(right, sources=_nullable(right.sources))
    if node.kind in ("right", "full"):
        left = replace(left, sources=_nullable(left.sources))
    both = (*left.sources, *right.sources)
    if node.on is None:
        return BoundSource(f"({left.sql} CROSS JOIN {right.sql})", both)
    condition = binder.binder(scope.with_sources(*both)).condition(node.on)
    return BoundSource(f"({left.sql} {_WORDS[node.kind]} {right.sql} ON {condition})", both)


def _check_names(left: tuple[ScopeSource, ...], right: tuple[ScopeSource, ...]) -> None:
    names = {(x.name.lower(), x.aliased or x.schema.lower()) for x in left}
    for source in right:
        if (source.name.lower(), source.aliased or source.schema.lower()) in names:
            raise SqlError(
                1013,
                f'The objects "{source.name}" and "{source.name}" in the FROM clause have the same exposed names. Use correlation'
                " names to distinguish them.",
            )


def _nullable(found: tuple[ScopeSource, ...]) -> tuple[ScopeSource, ...]:
    return tuple(replace(x, columns=tuple(replace(c, nullable=True) for c in x.columns)) for x in found)


def _apply(binder: SubqueryBinder, node: s.Join, left: BoundSource, scope: Scope) -> BoundSource:
    inner = Scope(left.sources, scope.outer)
    if isinstance(node.right, s.ValuesTable) and len(node.right.rows) == 1:
        return _computed_columns(binder, node.right, left, inner)
    if isinstance(node.right, s.ValuesTable):
        right = _values(binder, node.right, inner)
    elif isinstance(node.right, s.DerivedTable):
        right = _derived(binder, node.right.query, node.right.alias, node.right.columns, inner)
    else:
        raise refused("APPLY of anything but VALUES or a derived table")
    _check_names(left.sources, right.sources)
    if node.kind == "cross apply":
        return BoundSource(f"({left.sql} CROSS JOIN LATERAL {right.sql})", (*left.sources, *right.sources))
    return BoundSource(
        f"({left.sql} LEFT JOIN LATERAL {right.sql} ON true)", (*left.sources, *_nullable(right.sources))
    )


def _computed_columns(binder: SubqueryBinder, values: s.ValuesTable, left: BoundSource, scope: Scope) -> BoundSource:
    """APPLY of one row of VALUES adds columns to each row: a projection, not a join."""
    rows, columns = _bind_rows(binder, values, scope)
    alias = binder.context.alias()
    texts: list[str] = []
    carried: list[ScopeSource] = []
    for source in left.sources:
        renamed = []
        for column in source.columns:
            texts.append(f"{column.sql} AS p{len(texts)}")
            renamed.append(replace(column, sql=f"{alias}.p{len(texts) - 1}"))
        carried.append(replace(source, columns=tuple(renamed)))
    added = []
    for value, column in zip(rows[0], columns, strict=True):
        texts.append(f"{value.sql} AS p{len(texts)}")
        added.append(replace(column, sql=f"{alias}.p{len(texts) - 1}"))
    new = ScopeSource(values.alias, tuple(added), aliased=True)
    _check_names(left.sources, (new,))
    return BoundSource(f"(SELECT {', '.join(texts)} FROM {left.sql}) AS {alias}", (*carried, new))
