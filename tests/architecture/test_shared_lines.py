"""No two product files share ten lines: what two places need is written once, and both use it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tests.architecture.imports import ROOT, modules_of, statements

PACKAGES = ("dltsync_core", "dltsync_dagster", "sqlserver_sandbox")
RUN = 10

Line = tuple[int, str]
"""The number of a line, and its text without the white space around it."""


def lines_of(text: str) -> list[Line]:
    """The lines that count: no import, no docstring, no comment, no blank line, no lone punctuation."""
    left_out: set[int] = set()
    for node in statements(ast.parse(text)):
        is_text = (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        )
        if isinstance(node, (ast.Import, ast.ImportFrom)) or is_text:
            assert isinstance(node, ast.stmt)
            left_out.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    numbered = ((number, line.strip()) for number, line in enumerate(text.splitlines(), start=1))
    return [
        (number, line)
        for number, line in numbered
        if number not in left_out and not line.startswith("#") and any(c.isalnum() for c in line)
    ]


def shared_runs(files: Mapping[str, Iterable[Line]], length: int = RUN) -> Iterator[str]:
    """The first run of `length` lines that two files have in common, for each pair of files."""
    seen: dict[tuple[str, ...], tuple[str, int]] = {}
    reported: set[tuple[str, str]] = set()
    for name, lines in files.items():
        numbered = list(lines)
        for start in range(len(numbered) - length + 1):
            run = tuple(line for _, line in numbered[start : start + length])
            other, at = seen.setdefault(run, (name, numbered[start][0]))
            if other != name and (other, name) not in reported:
                reported.add((other, name))
                yield f"{other}:{at} and {name}:{numbered[start][0]} share {length} lines, from {run[0]!r} on"


def test_no_two_files_share_ten_lines() -> None:
    paths: list[Path] = [path for package in PACKAGES for path in modules_of(package).values()]
    files = {str(path.relative_to(ROOT)): lines_of(path.read_text(encoding="utf-8")) for path in paths}
    found = list(shared_runs(files))
    assert not found, "\n".join(found)


def test_the_guard_can_fail() -> None:
    body = "\n".join(f"x{n} = {n}" for n in range(RUN))
    one, other = lines_of(f"import a\n{body}"), lines_of(f'"""Text."""\ndef f():\n    y = 1\n{body}\n')
    assert list(shared_runs({"one": one, "other": other})) == [
        "one:2 and other:4 share 10 lines, from 'x0 = 0' on",
    ]
    assert not list(shared_runs({"one": one, "other": other[2:-1]}))
    assert lines_of("from a import (\n    b,\n)\n\n# c\n(\n)\n") == []
