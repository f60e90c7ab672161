"""SELECT: query expressions, select lists, sources, ORDER BY."""

from __future__ import annotations

from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.parse import conditions, expressions, sources
from sqlserver_sandbox.tsql.parse.reader import Reader
from sqlserver_sandbox.tsql.refusal import refused


def parse_query(reader: Reader) -> s.Query:
    """A query with its ORDER BY; a leading WITH is allowed only where a statement begins (`parse_ctes`)."""
    if reader.at_word("WITH"):
        reader.fail()
    return _ordered(reader, _set_operations(reader))


def parse_query_body(reader: Reader, ctes: tuple[s.CommonTable, ...] = ()) -> s.Query:
    """The query of a statement, after its common table expressions."""
    query = _ordered(reader, _set_operations(reader))
    return s.Query(query.body, query.order, query.offset, query.fetch, ctes)


def parse_ctes(reader: Reader) -> tuple[s.CommonTable, ...]:
    """WITH name (columns) AS (query), …; the word WITH is already read."""
    tables: list[s.CommonTable] = []
    while True:
        name = reader.identifier()
        columns = sources.parse_column_names(reader) if reader.at_op("(") else ()
        reader.expect_word("AS")
        reader.expect_op("(")
        tables.append(s.CommonTable(name, columns, parse_query(reader)))
        reader.expect_op(")")
        if not reader.accept_op(","):
            return tuple(tables)


def parse_order(reader: Reader) -> tuple[s.OrderItem, ...]:
    """The items of ORDER BY; the words are already read."""
    items: list[s.OrderItem] = []
    while True:
        value = expressions.parse_expression(reader)
        descending = reader.accept_word("ASC", "DESC") == "DESC"
        items.append(s.OrderItem(value, descending))
        if not reader.accept_op(","):
            return tuple(items)


def _ordered(reader: Reader, body: s.Select | s.SetOperation | s.Query) -> s.Query:
    order = parse_order(reader) if reader.accept_words("ORDER", "BY") else ()
    offset = fetch = None
    if order and reader.accept_word("OFFSET"):
        offset = expressions.parse_expression(reader)
        _row_word(reader)
        if reader.accept_word("FETCH"):
            if reader.accept_word("FIRST") is None:
                reader.expect_word("NEXT")
            fetch = expressions.parse_expression(reader)
            _row_word(reader)
            reader.expect_word("ONLY")
    return s.Query(body, order, offset, fetch)


def _row_word(reader: Reader) -> None:
    reader.expect_word("ROW", "ROWS")


def _set_operations(reader: Reader) -> s.Select | s.SetOperation | s.Query:
    left = _intersections(reader)
    while reader.at_word("UNION", "EXCEPT"):
        op = reader.next().value.lower()
        if op == "union" and reader.accept_word("ALL"):
            op = "union all"
        left = s.SetOperation(op, _as_query(left), _as_query(_intersections(reader)))
    return left


def _intersections(reader: Reader) -> s.Select | s.SetOperation | s.Query:
    left = _operand(reader)
    while reader.accept_word("INTERSECT"):
        left = s.SetOperation("intersect", _as_query(left), _as_query(_operand(reader)))
    return left


def _as_query(body: s.Select | s.SetOperation | s.Query) -> s.Query:
    return body if isinstance(body, s.Query) else s.Query(body)


def _operand(reader: Reader) -> s.Select | s.SetOperation | s.Query:
    if reader.accept_op("("):
        query = parse_query(reader)
        reader.expect_op(")")
        return query
    return _select(reader)


def _select(reader: Reader) -> s.Select:
    reader.expect_word("SELECT")
    distinct = reader.accept_word("DISTINCT") is not None
    if not distinct:
        reader.accept_word("ALL")
    top = _top(reader) if reader.accept_word("TOP") else None
    items = [_item(reader)]
    while reader.accept_op(","):
        items.append(_item(reader))
    if reader.at_word("INTO"):
        raise refused("SELECT … INTO; create the table and INSERT … SELECT", line=reader.line)
    source = sources.parse_sources(reader) if reader.accept_word("FROM") else None
    where = conditions.parse_condition(reader) if reader.accept_word("WHERE") else None
    group = _group(reader) if reader.accept_words("GROUP", "BY") else ()
    having = conditions.parse_condition(reader) if reader.accept_word("HAVING") else None
    _refuse_clauses(reader)
    return s.Select(tuple(items), source, where, group, having, distinct, top)


def _refuse_clauses(reader: Reader) -> None:
    if reader.at_word("FOR"):
        raise refused(f"FOR {reader.peek().text.upper()}", line=reader.line)
    if reader.at_word("WINDOW") and reader.peek().kind in ("word", "quoted") and reader.peek(2).is_word("AS"):
        raise refused("the WINDOW clause", line=reader.line)


def _top(reader: Reader) -> s.Top:
    if reader.accept_op("("):
        count = expressions.parse_expression(reader)
        reader.expect_op(")")
    else:
        if reader.token.kind != "integer":
            reader.fail()
        count = s.Literal("integer", reader.next().value)
    if reader.at_word("PERCENT"):
        raise refused("TOP … PERCENT", line=reader.line)
    if reader.at_words("WITH", "TIES"):
        raise refused("TOP … WITH TIES", line=reader.line)
    return s.Top(count)


def _group(reader: Reader) -> tuple[s.Expression, ...]:
    if reader.at_word("ROLLUP", "CUBE", "GROUPING"):
        raise refused(f"GROUP BY {reader.token.text.upper()}", line=reader.line)
    items = [expressions.parse_expression(reader)]
    while reader.accept_op(","):
        items.append(expressions.parse_expression(reader))
    if reader.at_word("WITH") and reader.peek().is_word("ROLLUP", "CUBE"):
        raise refused(f"GROUP BY … WITH {reader.peek().text.upper()}", line=reader.line)
    return tuple(items)


def _item(reader: Reader) -> s.SelectItem:
    star = _star(reader)
    if star is not None:
        return s.SelectItem(star)
    token = reader.token
    if token.kind == "variable" and not token.value.startswith("@@") and reader.peek().is_op("="):
        reader.next()
        reader.next()
        return s.SelectItem(expressions.parse_expression(reader), assign=token.value[1:].lower())
    if token.kind == "variable" and reader.peek().is_op("+=", "-=", "*=", "/=", "%="):
        raise refused("compound assignment in SELECT", line=token.line)
    if reader.at_identifier() and reader.peek().is_op("="):
        alias = reader.identifier()
        reader.next()
        return s.SelectItem(expressions.parse_expression(reader), alias)
    value = expressions.parse_expression(reader)
    return s.SelectItem(value, _alias(reader))


def _alias(reader: Reader) -> str | None:
    explicit = reader.accept_word("AS") is not None
    if reader.token.kind in ("string", "nstring"):
        return reader.next().value
    if explicit or reader.at_identifier():
        return reader.identifier()
    return None


def _star(reader: Reader) -> s.Star | None:
    if reader.accept_op("*"):
        return s.Star()
    start = reader.position
    parts: list[str] = []
    while reader.at_identifier() and reader.peek().is_op("."):
        parts.append(reader.identifier())
        reader.next()
    if parts and reader.accept_op("*"):
        return s.Star(tuple(parts))
    reader.position = start
    return None


class QueryReader(Reader):
    """A reader with the rules of queries, conditions and ORDER BY."""

    def query(self) -> s.Query:
        return parse_query(self)

    def condition(self) -> s.Condition:
        return conditions.parse_condition(self)

    def order(self) -> tuple[s.OrderItem, ...]:
        return parse_order(self)
