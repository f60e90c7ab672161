"""Lexical rules of T-SQL: text to tokens, with QUOTED_IDENTIFIER ON (OFF is refused by SET)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql.refusal import syntax_error


@dataclass(frozen=True)
class Token:
    """One token. `kind` is word, quoted, string, nstring, integer, decimal, float, money, binary, variable, op or end.

    `value` is the meaning (quotes undone); `text` is what stood in the batch.
    """

    kind: str
    value: str
    text: str
    line: int
    start: int = 0

    def is_word(self, *words: str) -> bool:
        return self.kind == "word" and self.value.upper() in words

    def is_op(self, *ops: str) -> bool:
        return self.kind == "op" and self.value in ops


_PATTERN = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*)
  | (?P<comment>/\*)
  | (?P<nstring>[Nn]'(?:[^']|'')*')
  | (?P<string>'(?:[^']|'')*')
  | (?P<bracket>\[(?:[^\]]|\]\])*\])
  | (?P<dquote>"(?:[^"]|"")*")
  | (?P<binary>0[xX][0-9a-fA-F]*)
  | (?P<float>(?:\d+\.?\d*|\.\d+)[eE][+-]?\d*)
  | (?P<decimal>\d+\.\d*|\.\d+)
  | (?P<integer>\d+)
  | (?P<money>\$(?:\d+\.?\d*|\.\d+))
  | (?P<variable>@@?[\w@$#]+)
  | (?P<word>[^\W\d][\w@$#]*|\#\#?[\w@$#]+|\$[^\W\d][\w@$#]*)
  | (?P<op><>|!=|<=|>=|!<|!>|\|\||\+=|-=|\*=|/=|%=|::|[-+*/%&|^~=<>(),.;{}?:])
    """,
    re.VERBOSE,
)
MAX_IDENTIFIER = 128


def tokenize(sql: str) -> list[Token]:
    """All tokens of a batch and a final `end`. Raises 102, 103, 105 or 113 as SQL Server does for broken text."""
    tokens: list[Token] = []
    position, line = 0, 1
    while position < len(sql):
        match = _PATTERN.match(sql, position)
        if match is None:
            raise _unreadable(sql, position, line)
        kind = str(match.lastgroup)
        text = match.group()
        if kind == "comment":
            end = _comment_end(sql, position, line)
            line += sql.count("\n", position, end)
            position = end
            continue
        if kind != "space":
            if sql[match.end() : match.end() + 1].isalpha() and kind in ("integer", "decimal", "float", "binary"):
                _check_number_end(sql, match.end(), line)
            tokens.append(_token(kind, text, line, position))
        line += text.count("\n")
        position = match.end()
    tokens.append(Token("end", "", "", line, len(sql)))
    return tokens


def _check_number_end(sql: str, position: int, line: int) -> None:
    """`1abc` reads as the number 1 aliased abc on SQL Server; only `1 abc` is on the list, the glued form is refused."""
    word = re.compile(r"\w+").match(sql, position)
    raise syntax_error(word.group() if word else sql[position], line=line)


def _token(kind: str, text: str, line: int, start: int) -> Token:
    if kind == "nstring":
        return Token(kind, text[2:-1].replace("''", "'"), text, line, start)
    if kind == "string":
        return Token(kind, text[1:-1].replace("''", "'"), text, line, start)
    if kind in ("bracket", "dquote"):
        close = "]" if kind == "bracket" else '"'
        name = text[1:-1].replace(close * 2, close)
        if not name:
            raise SqlError(
                1038,
                "An object or column name is missing or empty. Add a name or single space as the alias name.",
                class_=15,
                line=line,
            )
        return Token("quoted", _checked_name(name, line), text, line, start)
    if kind == "word":
        return Token(kind, _checked_name(text, line), text, line, start)
    return Token(kind, text, text, line, start)


def _checked_name(name: str, line: int) -> str:
    if len(name.encode("utf-16-le")) // 2 > MAX_IDENTIFIER:
        raise SqlError(
            103,
            f"The identifier that starts with '{name[:MAX_IDENTIFIER]}' is too long. Maximum length is 128.",
            class_=15,
            line=line,
        )
    return name


def _comment_end(sql: str, position: int, line: int) -> int:
    """Block comments nest in T-SQL."""
    depth = 0
    for match in re.compile(r"/\*|\*/").finditer(sql, position):
        depth += 1 if match.group() == "/*" else -1
        if depth == 0:
            return match.end()
    raise SqlError(113, "Missing end comment mark '*/'.", class_=15, line=line)


def _unreadable(sql: str, position: int, line: int) -> SqlError:
    rest = sql[position:]
    if rest[0] in "'[\"" or rest[:2].upper() == "N'":
        body = rest.lstrip("Nn")[1:]
        return SqlError(105, f"Unclosed quotation mark after the character string '{body}'.", class_=15, line=line)
    return syntax_error(rest[0], line=line)
