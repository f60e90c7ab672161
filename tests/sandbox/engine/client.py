"""A client without a wire: statements in, plain values out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pytest

from sqlserver_sandbox.model import (
    Column,
    Info,
    Outcome,
    Parameter,
    ResultSet,
    RowsAffected,
    Session,
    SqlError,
    SqlType,
)
from sqlserver_sandbox.tsql.values.storage import arrow_type, to_python


@dataclass
class Answer:
    """What a batch answered, in order."""

    results: list[list[tuple[Any, ...]]] = field(default_factory=list)
    columns: list[tuple[Column, ...]] = field(default_factory=list)
    counts: list[int | None] = field(default_factory=list)
    errors: list[SqlError] = field(default_factory=list)
    infos: list[Info] = field(default_factory=list)
    others: list[Outcome] = field(default_factory=list)


def parameter(value: object, declared: SqlType) -> Parameter:
    return Parameter("", declared, pa.array([to_python(value)], arrow_type(declared)))


@dataclass
class Client:
    """Wraps one session."""

    session: Session

    def run(self, sql: str, **parameters: Parameter) -> Answer:
        """Everything the batch answers; an error of the batch as a whole is in `errors` too."""
        answer = Answer()
        try:
            for outcome in self.session.execute(sql, parameters):
                self._note(answer, outcome)
        except SqlError as error:
            answer.errors.append(error)
        return answer

    def _note(self, answer: Answer, outcome: Outcome) -> None:
        if isinstance(outcome, ResultSet):
            answer.columns.append(outcome.columns)
            answer.results.append([tuple(row.values()) for batch in outcome.batches for row in batch.to_pylist()])
        elif isinstance(outcome, RowsAffected):
            answer.counts.append(outcome.count)
        elif isinstance(outcome, SqlError):
            answer.errors.append(outcome)
        elif isinstance(outcome, Info):
            answer.infos.append(outcome)
        else:
            answer.others.append(outcome)

    def do(self, *statements: str, **parameters: Parameter) -> None:
        """Run each as a batch; none may fail."""
        for sql in statements:
            answer = self.run(sql, **parameters)
            assert not answer.errors, f"{sql}: {answer.errors[0].message}"

    def rows(self, sql: str, **parameters: Parameter) -> list[tuple[Any, ...]]:
        """The rows of the last result."""
        answer = self.run(sql, **parameters)
        assert not answer.errors, f"{sql}: {answer.errors[0].message}"
        return answer.results[-1]

    def value(self, expression: str, **parameters: Parameter) -> Any:
        """SELECT expression."""
        return self.rows(f"SELECT {expression}", **parameters)[0][0]

    def holds(self, condition: str) -> bool:
        """Whether a condition is true."""
        return bool(self.rows(f"SELECT CASE WHEN {condition} THEN 1 ELSE 0 END")[0][0])

    def type(self, expression: str) -> SqlType:
        """The declared type of an expression."""
        answer = self.run(f"SELECT {expression}")
        assert not answer.errors, answer.errors[0].message
        return answer.columns[0][0].type

    def error(self, sql: str, **parameters: Parameter) -> SqlError:
        """The first error; there must be one."""
        answer = self.run(sql, **parameters)
        assert answer.errors, f"no error: {sql}"
        return answer.errors[0]

    def number(self, sql: str) -> int:
        return self.error(sql).number


@contextmanager
def fails(number: int) -> Iterator[None]:
    """The block raises a SqlError of this number."""
    with pytest.raises(SqlError) as caught:
        yield
    assert caught.value.number == number, caught.value.message
