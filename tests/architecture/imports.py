"""The imports of a package, as a graph, for the tests of the house."""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@cache
def modules_of(package: str) -> Mapping[str, Path]:
    """Every module by its dotted name; a folder is the module of its `__init__`."""
    found = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    return found


def imported(path: Path, modules: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Every module named in an import, wherever it stands: at the top, in a function, under TYPE_CHECKING.

    `from folder import name` names the module `folder.name` when there is one, else the folder itself.
    """
    for module, name, line in imports_in(path):
        full = f"{module}.{name}" if name else module
        yield (full if name is None or full in modules else module), line


@cache
def imports_in(path: Path) -> tuple[tuple[str, str | None, int], ...]:
    """Every import of a file: the module, what is taken from it (None: the module itself), the line. Each file is read once."""
    found: list[tuple[str, str | None, int]] = []
    for node in statements(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(alias.name, None, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            found += [(str(node.module), alias.name, node.lineno) for alias in node.names]
    return tuple(found)


BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
"""Fields of a statement that hold others, and its branches."""


def statements(tree: ast.Module) -> Iterator[ast.AST]:
    """Every statement, wherever it stands, and no expression: a quarter of what `ast.walk` looks at."""
    waiting: deque[ast.AST] = deque([tree])
    while waiting:
        node = waiting.popleft()
        yield node
        for field in BLOCKS:
            waiting.extend(getattr(node, field, ()))


def import_graph(package: str) -> dict[str, set[str]]:
    """Which modules of the package each of them imports."""
    modules = modules_of(package)
    return {
        name: {other for other, _ in imported(path, modules) if other in modules and other != name}
        for name, path in modules.items()
    }


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """The strongly connected components of more than one module."""
    reached = {start: _reachable(graph, start) for start in graph}
    found = {
        frozenset(other for other in reached[start] if start in reached.get(other, ()))
        for start in graph
        if start in reached[start]
    }
    return sorted(sorted(circle) for circle in found)


def _reachable(graph: Mapping[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting.extend(graph.get(module, ()))
    return found
