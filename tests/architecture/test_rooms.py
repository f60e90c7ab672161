"""The house stays as it was drawn: who may import whom, where SQL may stand, where SQL is quoted."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.imports import ROOT, circles, import_graph, imported, modules_of

FOUNDATION = (
    "errors",
    "clock",
    "checkpoints",
    "display",
    "waiting",
    "redaction",
    "disk_full",
    "log_file",
    "process",
    "identity",
    "ranges",
    "watermark",
    "held_back",
    "committed",
)
ROOMS = (
    "config",
    "logging",
    "connect",
    "catalog",
    "typemap",
    "plan",
    "tsql",
    "extract",
    "digest",
    "duckdb",
    "lake",
    "history",
    "warehouse",
    "validate",
    "state",
    "run",
    "checkup",
    "proposal",
    "testing",
    "cli",
)
"""In the order a row walks. A room imports earlier rooms and the foundation, whose files import earlier ones of their own."""

CORE = "dltsync_core"


def _modules(package: str) -> list[Path]:
    return list(modules_of(package).values())


def _imports(path: Path) -> Iterator[tuple[str, int]]:
    return imported(path, modules_of(path.relative_to(ROOT).parts[0]))


def _room_of(module: str) -> str:
    return module.split(".")[1]


def _rank(room: str) -> int:
    return (*FOUNDATION, *ROOMS).index(room)


def test_a_room_imports_earlier_rooms_only() -> None:
    """The package itself is the door: it names what users may import, and no room goes through it."""
    wrong = [
        f"{module} imports {other}"
        for module, others in import_graph(CORE).items()
        if module != CORE
        for other in others
        if other == CORE or _rank(_room_of(other)) > _rank(_room_of(module))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", [CORE, "dltsync_dagster"])
def test_no_modules_import_each_other_in_a_circle(package: str) -> None:
    assert circles(import_graph(package)) == []


def test_every_room_is_on_the_plan() -> None:
    found = {p.stem if p.suffix == ".py" else p.name for p in (ROOT / CORE).iterdir()}
    assert found - {"__init__", "py", "__pycache__", "py.typed"} == {*FOUNDATION, *ROOMS}


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("dltsync_core", ("dagster", "dagster_dlt", "dltsync_dagster", "sqlserver_sandbox")),
        ("dltsync_dagster", ("sqlserver_sandbox",)),
        ("sqlserver_sandbox", ("dltsync_core", "dltsync_dagster", "dagster", "dlt")),
    ],
)
def test_packages_keep_apart(package: str, forbidden: tuple[str, ...]) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in _modules(package)
        for module, line in _imports(path)
        if module.split(".")[0] in forbidden
    ]
    assert not wrong, "\n".join(wrong)


SQL = re.compile(
    r"^\s*(SELECT\s.+\sFROM\s|INSERT\s+INTO\s|UPDATE\s.+\sSET\s|DELETE\s+FROM\s|CREATE\s+(TABLE|SCHEMA|DATABASE)|ALTER\s|DROP\s|MERGE\s|TRUNCATE\s)",
    re.IGNORECASE | re.DOTALL,
)


def _texts(path: Path) -> Iterator[tuple[str, int]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.value, node.lineno


def test_the_dagster_skin_holds_no_sql() -> None:
    """The demo is exempt: there it plays the application that owns the source tables, and the independent reader."""
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {text[:60]!r}"
        for path in _modules("dltsync_dagster")
        if "demo" not in path.relative_to(ROOT / "dltsync_dagster").parts
        for text, line in _texts(path)
        if SQL.match(text)
    ]
    assert not wrong, "\n".join(wrong)


QUOTING = re.compile(r"""\.replace\(\s*(['"])(\]|"|')\1\s*,\s*(['"])(\]\]|""|'')\3\s*\)""")
MAY_QUOTE = {
    "dltsync_core/tsql/fragments.py",  # T-SQL
    "dltsync_core/duckdb/sql.py",  # DuckDB
    "dltsync_core/identity.py",  # no SQL: names of tables as a person reads and writes them
}


def test_one_file_quotes_each_dialect() -> None:
    found = {
        str(path.relative_to(ROOT))
        for package in ("dltsync_core", "dltsync_dagster")
        for path in _modules(package)
        if "demo" not in path.parts and QUOTING.search(path.read_text(encoding="utf-8"))
    }
    assert found <= MAY_QUOTE, f"SQL is quoted outside its one file: {sorted(found - MAY_QUOTE)}"


def test_the_guards_can_fail() -> None:
    """A guard that matches nothing would pass for ever."""
    assert SQL.match("SELECT a FROM b")
    assert SQL.match("update t set a = 1")
    assert not SQL.match("Select the partitions to load.")
    assert QUOTING.search("name.replace(']', ']]')")
    assert QUOTING.search("""name.replace('"', '""')""")
    assert _rank("run") > _rank("lake") > _rank("errors")
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == [["b", "c"]]


DOCUMENTED_OF_DLT = {
    "dlt",
    "dlt.pipeline.exceptions",
    "dlt.common.normalizers.naming",  # where dlt's documentation tells to derive a naming convention from
}


def test_dlt_is_used_by_its_public_names_alone() -> None:
    """Its internals change from release to release."""
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for package in ("dltsync_core", "dltsync_dagster")
        for path in _modules(package)
        for module, line in _imports(path)
        if module.split(".")[0] == "dlt"
        and (any(part.startswith("_") for part in module.split(".")) or not _documented(module))
    ]
    assert not wrong, "\n".join(wrong)


def _documented(module: str) -> bool:
    return any(module == known or module.rpartition(".")[0] == known for known in DOCUMENTED_OF_DLT)


def test_every_config_error_says_what_to_do() -> None:
    """Messages of the config are the first that a new user sees."""
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for package in (CORE, "dltsync_dagster")
        for path in _modules(package)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "ConfigError"
        if not any(keyword.arg == "remedy" for keyword in node.keywords)
    ]
    assert wrong == []
