"""Every kind of drift under every policy: what is told, who is stopped, what the warehouse has afterwards.

One table for each kind, all brought over in the same runs: a policy costs three runs, not one for each kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from dltsync_core.run.result import RunResult, UnitResult
from tests.support.server_shop import Server
from tests.support.type_tables import TypeTables, errors

ID = "id int NOT NULL PRIMARY KEY"


@dataclass(frozen=True)
class Drifted:
    """A table's columns before and after (`id` is always the first), how its rows are copied over, and what follows.

    `found` are the findings (column, kind); `warehouse` the types when the change went through, None when nothing can take
    it; `rows` what the warehouse then holds."""

    before: str
    after: str
    copied: str
    found: tuple[tuple[str, str], ...]
    warehouse: dict[str, str] | None
    rows: tuple[tuple[Any, ...], ...] = ()


TEXTS = {"a": "VARCHAR", "b": "VARCHAR"}
KINDS: dict[str, Drifted] = {
    "added": Drifted(
        "a int, b int",
        "a int, b int, c int",
        "a, b, 7",
        (("c", "added"),),
        {"a": "INTEGER", "b": "INTEGER", "c": "INTEGER"},
        ((1, 10, 20, 7), (2, None, 21, 7)),
    ),
    "dropped": Drifted(
        "a int, b int",
        "a int",
        "a",
        (("b", "dropped"),),
        {"a": "INTEGER", "b": "INTEGER"},
        ((1, 10, None), (2, None, None)),
    ),
    "widened": Drifted(
        "a int, b decimal(6,2)",
        "a bigint, b decimal(12,4)",
        "a, b",
        (("a", "widened"), ("b", "widened")),
        {"a": "BIGINT", "b": "DECIMAL(12,4)"},
        ((1, "10", "20.0000"), (2, None, "21.0000")),
    ),
    "narrowed": Drifted(
        "a bigint, b decimal(12,4)",
        "a int, b decimal(6,2)",
        "a, b",
        (("a", "narrowed"), ("b", "narrowed")),
        {"a": "BIGINT", "b": "DECIMAL(12,4)"},
        ((1, "10", "20.0000"), (2, None, "21.0000")),
    ),
    "renamed": Drifted(
        "a int, b int",
        "a int, other int",
        "a, b",
        (("b", "renamed"),),
        {"a": "INTEGER", "b": "INTEGER", "other": "INTEGER"},
        ((1, 10, None, 20), (2, None, None, 21)),
    ),
    "collation": Drifted(
        "a varchar(10) COLLATE Latin1_General_CI_AS, b nvarchar(10) COLLATE Latin1_General_CI_AS",
        "a varchar(10) COLLATE Latin1_General_100_BIN2, b nvarchar(10) COLLATE Latin1_General_100_BIN2",
        "a, b",
        (("a", "collation changed"), ("b", "collation changed")),
        TEXTS,
        ((1, "10", "20"), (2, None, "21")),
    ),
    "incompatible": Drifted("a int, b int", "a int, b nvarchar(10)", "a, b", (("b", "incompatible"),), None),
    "reordered": Drifted(
        "a int, b int",
        "b int, a int",
        "b, a",
        (("b", "reordered"),),
        {"a": "INTEGER", "b": "INTEGER"},
        ((1, 10, 20), (2, None, 21)),
    ),
}
pytestmark = pytest.mark.slow
SHAPED = [name for name in KINDS if name != "reordered"]


class Matrix:
    """The tables under one policy, and what the runs after the change said."""

    def __init__(self, house: TypeTables, policy: str) -> None:
        self.house, self.policy = house, policy
        for name, kind in KINDS.items():
            house.create(name, f"{ID}, {kind.before}", schema_drift=policy)
            house.execute(f"INSERT INTO {{s}}.{name} VALUES (1, 10, 20), (2, NULL, 21)")
        assert errors(house.run()) == []
        for name, kind in KINDS.items():
            house.execute(f"CREATE TABLE {{s}}.Copied ({ID}, {kind.after})")
            house.execute(f"INSERT INTO {{s}}.Copied SELECT id, {kind.copied} FROM {{s}}.{name}")
            house.execute(f"DROP TABLE {{s}}.{name}")
            house.execute(f"CREATE TABLE {{s}}.{name} ({ID}, {kind.after})")
            house.execute(f"INSERT INTO {{s}}.{name} SELECT * FROM {{s}}.Copied")
            house.execute("DROP TABLE {s}.Copied")
        self.untouched = {name: self.places(name) for name in KINDS}
        self.first = house.run()
        self.after_first = {name: self.places(name) for name in KINDS}
        names = [f"{house.schema}.{name}" for name in KINDS]
        self.answered: RunResult = house.run(accept_drift=names) if policy != "evolve" else self.first

    def places(self, name: str) -> Any:
        rows = self.house.warehouse(name, "* EXCLUDE (id)") if self.house.warehouse_types(name) else []
        return self.house.warehouse_types(name), rows, [str(file) for file in self.house.lake_files(name)]

    def goes_through(self, name: str) -> bool:
        return KINDS[name].warehouse is not None and (self.policy != "freeze" or name == "reordered")


def unit(result: RunResult, name: str) -> UnitResult:
    (found,) = [u for u in result.units if u.table.table == name]
    return found


def found(result: RunResult, name: str) -> tuple[tuple[str, str], ...]:
    return tuple((f.column, f.kind) for f in result.drift if f.table.endswith(f".{name}"))


@pytest.fixture(scope="module", params=["evolve", "freeze", "ask"])
def matrix(
    request: pytest.FixtureRequest, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Matrix]:
    house = TypeTables(server, tmp_path_factory.mktemp("drift"))
    yield Matrix(house, request.param)
    house.drop()


@pytest.mark.parametrize("name", KINDS)
def test_what_changed_is_told_under_every_policy(matrix: Matrix, name: str) -> None:
    assert found(matrix.first, name) == KINDS[name].found


@pytest.mark.parametrize("name", SHAPED)
def test_a_policy_that_stops_a_table_names_every_change_and_writes_nothing(matrix: Matrix, name: str) -> None:
    stopped = unit(matrix.first, name)
    if matrix.policy == "evolve" and matrix.goes_through(name):
        assert stopped.status == "committed"
        return
    assert (stopped.status, stopped.error_type, stopped.exit_code) == ("failed", "DriftError", 11)
    assert f"{matrix.house.schema}.{name}" in str(stopped.error)
    for column, _ in KINDS[name].found:
        assert column in str(stopped.error)
    assert "->" in str(stopped.error), "what to do"
    assert matrix.after_first[name] == matrix.untouched[name]


def test_another_order_stops_no_policy(matrix: Matrix) -> None:
    assert unit(matrix.first, "reordered").error is None


@pytest.mark.parametrize("name", KINDS)
def test_only_an_answer_lets_ask_go_on_and_nothing_lets_freeze(matrix: Matrix, name: str) -> None:
    ended = unit(matrix.answered, name)
    assert (ended.error is None) is matrix.goes_through(name), ended.error
    if not matrix.goes_through(name):
        assert ended.error_type == "DriftError"
        assert matrix.places(name) == matrix.untouched[name]


def test_what_goes_through_is_exact_in_the_warehouse(matrix: Matrix) -> None:
    """Under `freeze` that is another order of the columns, and nothing else."""
    going = [name for name in KINDS if matrix.goes_through(name)]
    assert (going == ["reordered"]) is (matrix.policy == "freeze")
    types = {name: matrix.house.warehouse_types(name) for name in going}
    assert types == {name: {"id": "INTEGER", **(KINDS[name].warehouse or {})} for name in going}
    assert {name: as_text(matrix.house.warehouse(name, "*")) for name in going} == {
        name: as_text(KINDS[name].rows) for name in going
    }


def as_text(rows: Iterable[Sequence[Any]]) -> list[tuple[str | None, ...]]:
    return [tuple(None if value is None else str(value) for value in row) for row in rows]


def test_afterwards_nobody_is_asked_again_and_all_is_equal(matrix: Matrix) -> None:
    going = [f"{matrix.house.schema}.{name}" for name in KINDS if matrix.goes_through(name)]
    again = matrix.house.run(table_names=going)
    assert (errors(again), again.drift, {u.status for u in again.units}) == ([], (), {"skipped"})
    with matrix.house.pipeline() as pipeline:
        report = pipeline.validate_all_tables(table_names=going, fingerprint="sha256")
    assert report["valid"], [table["messages"] for table in report["tables"]]
