"""The house stays as it was drawn: who may import whom, where SQL may stand, where SQL is quoted."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOUNDATION = ("checkpoints", "clock", "errors", "identity", "ranges", "secrecy", "showing", "watermark")
ROOMS = (
    "config",
    "connect",
    "catalog",
    "typemap",
    "plan",
    "tsql",
    "extract",
    "lake",
    "changes",
    "history",
    "warehouse",
    "validate",
    "state",
    "run",
    "logging",
    "cli",
)
"""In the order a row walks. A room imports earlier rooms and the foundation."""

VALUES_OF_LATER_ROOMS = {
    # Plain values (a step, an event), without behaviour or imports of their own room: what an earlier room hands upwards.
    "dltsync_core.plan.steps",
    "dltsync_core.run.events",
    "dltsync_core.run.result",
}


def _modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def _imports(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module, node.lineno
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def _room_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "dltsync_core" and len(parts) > 1 else None


def _rank(room: str) -> int:
    return -1 if room in FOUNDATION else ROOMS.index(room)


def test_a_room_imports_earlier_rooms_only() -> None:
    wrong = []
    for path in _modules("dltsync_core"):
        relative = path.relative_to(ROOT / "dltsync_core")
        room = relative.parts[0].removesuffix(".py")
        if room == "__init__":
            continue
        for module, line in _imports(path):
            other = _room_of(module)
            if other in (None, room) or module in VALUES_OF_LATER_ROOMS:
                continue
            if any(module.startswith(f"{values}.") for values in VALUES_OF_LATER_ROOMS):
                continue
            if other not in FOUNDATION and other not in ROOMS:
                continue  # a re-export of the package itself
            if _rank(str(other)) > _rank(room):
                wrong.append(f"{relative}:{line} imports {module}")
    assert not wrong, "\n".join(wrong)


def test_every_room_is_on_the_plan() -> None:
    found = {p.stem if p.suffix == ".py" else p.name for p in (ROOT / "dltsync_core").iterdir()}
    assert found - {"__init__", "py", "__pycache__", "py.typed"} <= {*FOUNDATION, *ROOMS}


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
    "dltsync_core/warehouse/duckdb_sql.py",  # DuckDB
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
