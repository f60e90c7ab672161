"""The sandbox inside: rooms in order, no import circles, one folder that talks to DuckDB, one table of statements."""

from __future__ import annotations

from pathlib import Path

import pytest

from sqlserver_sandbox.engine.statements.registry import STATEMENTS
from sqlserver_sandbox.faults.plan import KINDS
from sqlserver_sandbox.tsql import syntax
from tests.architecture.imports import ROOT, circles, imported, modules_of

PACKAGE = "sqlserver_sandbox"

ROOMS = (
    "model",
    "access_tokens",
    # bytes
    "wire.refusals",
    "wire.fields",
    "wire.collations",
    "wire.type_info",
    "wire.codec",
    "wire",
    # text
    "tsql.refusal",
    "tsql.syntax",
    "tsql.types",
    "tsql.collations",
    "tsql.constraints",
    "tsql.features",
    "tsql.catalogue",
    "tsql.catalogue_json",
    "tsql.access",
    "tsql.render",
    "tsql.definition",
    "tsql.copies",
    "tsql.values",
    "tsql.parse",
    "tsql.bind",
    "tsql",
    # what statements do
    "engine.testing",
    "engine.duckdb",
    "engine.store",
    "engine.sysviews",
    "engine.execution",
    "engine.rows",
    "engine.definitions",
    "engine.switching",
    "engine.procedures",
    "engine.statements",
    "engine.session",
    "engine.server",
    "engine",
    # the process
    "faults",
    "server",
    "certificate",
    "without_pandas",
    "__main__",
)
"""In order: a room imports earlier rooms only. A module is in the room with the longest name that is its own or a folder's."""

APART = {
    "wire": ("tsql", "engine", "faults"),
    "tsql": ("wire", "engine", "faults"),
    "engine": ("wire", "faults"),
    "faults": ("tsql", "engine"),
}
"""Bytes know no SQL, SQL knows no bytes, and neither knows who makes it fail: they meet in `model` and in `server`."""


def _inside(module: str) -> str:
    """The module's name without the package's."""
    return module.removeprefix(PACKAGE).removeprefix(".")


def _room_of(module: str) -> str:
    inside = _inside(module)
    found = [room for room in ROOMS if inside == room or inside.startswith(f"{room}.")]
    assert found, f"{module} is in no room: add it to ROOMS"
    return max(found, key=len)


MODULES = modules_of(PACKAGE)
GRAPH = {name: {other for other, _ in imported(path, MODULES) if other in MODULES} for name, path in MODULES.items()}


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert not circles(GRAPH)


def test_a_room_imports_earlier_rooms_only() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {other}"
        for name, path in MODULES.items()
        for other, line in imported(path, MODULES)
        if other in MODULES and ROOMS.index(_room_of(other)) > ROOMS.index(_room_of(name))
    ]
    assert not wrong, "\n".join(wrong)


def test_every_file_and_folder_of_engine_and_tsql_is_a_room() -> None:
    """A new one would otherwise be taken for part of the whole, which may import everything."""
    lost = [
        name for name in MODULES if _inside(name) not in ("", "tsql", "engine") and _room_of(name) in ("tsql", "engine")
    ]
    assert not lost, f"add to ROOMS: {lost}"


@pytest.mark.parametrize("folder", sorted(APART))
def test_what_is_apart_stays_apart(folder: str) -> None:
    wrong = [
        f"{name} imports {other}"
        for name, others in GRAPH.items()
        for other in others
        if _inside(name).split(".")[0] == folder and _inside(other).split(".")[0] in APART[folder]
    ]
    assert not wrong, "\n".join(wrong)


def test_it_knows_nothing_of_dltsync_or_of_the_tests() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {other}"
        for path in MODULES.values()
        for other, line in imported(path, MODULES)
        if other.split(".")[0] in ("dltsync_core", "dltsync_dagster", "dagster", "dlt", "tests")
    ]
    assert not wrong, "\n".join(wrong)


def test_one_folder_talks_to_duckdb() -> None:
    found = {
        _room_of(name)
        for name, path in MODULES.items()
        for other, _ in imported(path, MODULES)
        if other.split(".")[0] == "duckdb"
    }
    assert found == {"engine.duckdb"}


# ---- statements --------------------------------------------------------------------------------------------------
def test_every_statement_that_parses_has_a_handler() -> None:
    assert {node.__name__ for node in STATEMENTS} == set(str(syntax.Statement).split(" | "))


@pytest.mark.parametrize("node", sorted(STATEMENTS, key=str))
def test_a_handler_takes_an_execution_and_its_own_node(node: type) -> None:
    annotations = dict(STATEMENTS[node].handler.__annotations__)
    assert list(annotations.items())[:2] == [("execution", "Execution"), ("node", f"s.{node.__name__}")]
    assert set(annotations) == {"execution", "node", "return"}


def test_a_fault_plan_has_a_word_for_every_kind_of_statement() -> None:
    assert {kind.kind for kind in STATEMENTS.values()} <= KINDS


def test_a_handler_calls_no_other_familys_handler() -> None:
    """What several need is in `rows`, `definitions` or `execution`; only the registry names all families."""
    statements = f"{PACKAGE}.engine.statements"
    wrong = [
        f"{name} imports {other}"
        for name, others in GRAPH.items()
        for other in others
        if name.startswith(f"{statements}.") and other.startswith(f"{statements}.") and not name.endswith(".registry")
    ]
    assert not wrong, "\n".join(wrong)


# ---- the guards --------------------------------------------------------------------------------------------------
def test_a_circle_is_found() -> None:
    """A guard that finds nothing would pass for ever."""
    straight = {"a": {"b"}, "b": {"c"}, "c": set[str](), "d": {"a", "c"}}
    assert circles(straight) == []
    assert circles(straight | {"c": {"a"}}) == [["a", "b", "c"]]
    assert circles({"a": {"b"}, "b": {"a"}, "c": {"d"}, "d": {"c", "a"}}) == [["a", "b"], ["c", "d"]]


def test_imports_are_found_wherever_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(
        "from typing import TYPE_CHECKING\nimport a.b\nfrom a import c, name\nif TYPE_CHECKING:\n    from a.d import X\n"
        "def f():\n    import a.e\n",
        encoding="utf-8",
    )
    assert [m for m, _ in imported(path, {"a", "a.c"})] == ["typing", "a.b", "a.c", "a", "a.d", "a.e"]


def test_the_longest_name_is_the_room() -> None:
    assert _room_of(f"{PACKAGE}.wire.codec.text") == "wire.codec"
    assert _room_of(f"{PACKAGE}.wire.rows") == "wire"
    assert _room_of(f"{PACKAGE}.engine.statements.insert") == "engine.statements"
    with pytest.raises(AssertionError):
        _room_of(f"{PACKAGE}.nowhere")
