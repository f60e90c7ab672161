"""LIKE: % _ [set] [^set] and ESCAPE, as a regular expression under the column's collation."""

from __future__ import annotations

import re

from sqlserver_sandbox.tsql import collations
from sqlserver_sandbox.tsql.bind.bound import Bound
from sqlserver_sandbox.tsql.bind.unify import common_collation
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.types import LOB
from sqlserver_sandbox.tsql.values.storage import text_literal


def like(operand: Bound, pattern: Bound, escape: Bound | None, *, negated: bool) -> str:
    """The condition. The pattern must be a constant or a variable; blanks at the end count, as LIKE has it."""
    if not operand.is_text or operand.type.name in LOB:
        raise refused(f"LIKE on {operand.type.name}")
    if pattern.constant is None or (escape is not None and escape.constant is None):
        raise refused("LIKE with a pattern that is not a constant or a variable")
    if pattern.constant.value is None or (
        escape is not None and escape.constant is not None and escape.constant.value is None
    ):
        return "CAST(NULL AS BOOLEAN)"
    collation, _ = common_collation((operand, pattern), "like")
    kind = collations.collation(collation).kind
    text = str(pattern.constant.value)
    if kind != "bin2":
        collations.comparison_key(text, kind)
    mark = str(escape.constant.value) if escape is not None and escape.constant is not None else None
    if mark is not None and len(mark) != 1:
        raise refused("ESCAPE with other than one character")
    flags = "(?is)" if kind == "ci" else "(?s)"
    test = f"regexp_full_match({_subject(operand, kind)}, {text_literal(flags + regular_expression(text, mark, kind))})"
    return f"(NOT {test})" if negated else test


def _subject(operand: Bound, kind: str) -> str:
    # The check that the text is comparable belongs to the fold; the text itself keeps its blanks.
    return operand.sql if kind == "bin2" else f"checked_text({operand.sql})"


def regular_expression(pattern: str, escape: str | None, kind: str) -> str:
    """RE2 text for a LIKE pattern."""
    out: list[str] = []
    position = 0
    while position < len(pattern):
        character = pattern[position]
        position += 1
        if character == escape and position < len(pattern):
            out.append(re.escape(pattern[position]))
            position += 1
        elif character == "%":
            out.append(".*")
        elif character == "_":
            out.append(".")
        elif character == "[":
            end = pattern.find("]", position + 1)
            if end < 0:
                raise refused("a LIKE pattern with an unclosed [")
            out.append(_set(pattern[position:end], escape, kind))
            position = end + 1
        else:
            out.append(re.escape(character))
    return "".join(out)


def _set(body: str, escape: str | None, kind: str) -> str:
    if escape is not None and escape in body:
        raise refused("ESCAPE inside [ ] of a LIKE pattern")
    negated = body.startswith("^")
    members = body[1:] if negated else body
    ranges = re.findall(r"(.)-(.)", members)
    for low, high in ranges:
        plain = (
            low.isascii() and high.isascii() and low.isalnum() and high.isalnum() and low.isdigit() == high.isdigit()
        )
        if not plain or (kind != "ci" and not low.isdigit()) or low.lower() > high.lower():
            raise refused(f"the range {low}-{high} in a LIKE pattern")
    escaped = re.sub(r"([\\\[\]^])", r"\\\1", members)
    return f"[{'^' if negated else ''}{escaped}]"
