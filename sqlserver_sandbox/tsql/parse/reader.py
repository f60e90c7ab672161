"""A cursor over tokens: look, accept, demand; every failure is SQL Server's own syntax error."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NoReturn

from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql.parse.keywords import RESERVED
from sqlserver_sandbox.tsql.parse.tokens import Token, tokenize
from sqlserver_sandbox.tsql.refusal import refused, syntax_error
from sqlserver_sandbox.tsql.syntax import Condition, ObjectName, OrderItem, Query, TypeSpec


class TokenReader:
    """Reads text front to back. `position` may be saved and put back to try another rule."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self.tokens = tokenize(sql)
        self.position = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.position]

    def peek(self, ahead: int = 1) -> Token:
        return self.tokens[min(self.position + ahead, len(self.tokens) - 1)]

    @property
    def line(self) -> int:
        return self.token.line

    def next(self) -> Token:
        token = self.token
        if token.kind != "end":
            self.position += 1
        return token

    # ---- words and operators --------------------------------------------------------------------------------------
    def at_word(self, *words: str) -> bool:
        return self.token.is_word(*words)

    def at_words(self, *words: str) -> bool:
        """The next tokens are exactly these words, in this order."""
        return all(self.peek(i).is_word(word) for i, word in enumerate(words))

    def at_op(self, *ops: str) -> bool:
        return self.token.is_op(*ops)

    def accept_word(self, *words: str) -> str | None:
        """Any one of `words`, upper case, or None."""
        return self.next().value.upper() if self.at_word(*words) else None

    def accept_words(self, *words: str) -> bool:
        """All of `words` in this order, or nothing is read."""
        if self.at_words(*words):
            self.position += len(words)
            return True
        return False

    def accept_op(self, op: str) -> bool:
        if self.at_op(op):
            self.next()
            return True
        return False

    def expect_word(self, *words: str) -> str:
        found = self.accept_word(*words)
        if found is None:
            self.fail()
        return found

    def expect_words(self, *words: str) -> None:
        for word in words:
            self.expect_word(word)

    def expect_op(self, op: str) -> None:
        if not self.accept_op(op):
            self.fail()

    # ---- names and numbers ----------------------------------------------------------------------------------------
    def at_identifier(self) -> bool:
        token = self.token
        return token.kind == "quoted" or (
            token.kind == "word" and token.value.upper() not in RESERVED and token.value[0] != "$"
        )

    def identifier(self) -> str:
        if not self.at_identifier():
            self.fail()
        return self.next().value

    def object_name(self) -> ObjectName:
        """One to four parts; middle parts may be missing, as in master..t."""
        line = self.line
        parts: list[str] = []
        while self.at_op("."):
            self.next()
            parts.append("")
        parts.append(self.identifier())
        while self.accept_op("."):
            parts.append("" if self.at_op(".") else self.identifier())
        if len(parts) > 4:
            raise SqlError(
                117,
                f"The object name '{'.'.join(parts)}' contains more than the maximum number of prefixes. The maximum is 3.",
                class_=15,
                line=line,
            )
        return ObjectName(tuple(parts), line)

    def integer(self) -> int:
        sign = -1 if self.accept_op("-") else 1
        if self.token.kind != "integer":
            self.fail()
        return sign * int(self.next().value)

    def type_spec(self) -> TypeSpec:
        """A type name with its arguments; two-word spellings (double precision, national character varying) are refused."""
        if self.at_word("DOUBLE", "NATIONAL"):
            raise refused(
                f"the type spelling {self.token.text.upper()} …; write float, nchar or nvarchar", line=self.line
            )
        line = self.line
        parts = [self.identifier()]
        while self.accept_op("."):
            parts.append(self.identifier())
        if len(parts) > 2 or (len(parts) == 2 and parts[0].lower() != "sys"):
            raise refused("user-defined types", line=line)
        name = parts[-1].lower()
        if self.at_word("VARYING"):
            raise refused(f"the type spelling {name} varying", line=line)
        if not self.accept_op("("):
            return TypeSpec(name)
        args: list[int] = []
        if self.accept_word("MAX"):
            args.append(-1)
        else:
            args.append(self.integer())
            if self.accept_op(","):
                args.append(self.integer())
        self.expect_op(")")
        return TypeSpec(name, tuple(args))

    # ---- errors ---------------------------------------------------------------------------------------------------
    def fail(self) -> NoReturn:
        """102 or 156 near the current token."""
        raise self.unexpected()

    def unexpected(self) -> SqlError:
        token = self.token
        if token.kind == "end":
            before = self.tokens[self.position - 1] if self.position else token
            return syntax_error(before.text, line=before.line)
        word = token.kind == "word" and token.value.upper() in RESERVED
        near = token.value if token.kind in ("quoted", "string", "nstring") else token.text
        return syntax_error(near, line=token.line, keyword=word)


class Reader(TokenReader, ABC):
    """Reads a batch, with the rules that hold one another: expressions hold queries and conditions, which hold expressions.

    `queries.QueryReader` has the rules.
    """

    @abstractmethod
    def query(self) -> Query:
        """A query with its ORDER BY, within an expression, a condition or FROM."""

    @abstractmethod
    def condition(self) -> Condition:
        """A search condition."""

    @abstractmethod
    def order(self) -> tuple[OrderItem, ...]:
        """The items of ORDER BY; the words are already read."""
