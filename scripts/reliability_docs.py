"""Write docs/reliability.md from the tests that carry `@pytest.mark.survives`, so that the page claims what is tested, no more.

The tests are read, not run: four literal texts in the marker are a row of the table.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reliability.md"
TESTS = ROOT / "tests"

CATEGORIES = {
    "network": "Network and connections",
    "server": "Errors of the server",
    "answers": "Wrong answers",
    "crash": "Runs that die",
    "rivals": "Several runs at once",
    "lake": "The lake and its disk",
    "warehouse": "The warehouse",
    "state": "The ledger and lost state",
    "data": "Data and types",
    "change": "Changes at the source while and between runs",
    "input": "Wrong and hostile input",
}
"""What a row may be about, in the order of the page."""

HEAD = """# What it survives

Every row is a test: the fault, what the user sees, the state afterwards. `scripts/reliability_docs.py` writes the page from the
tests' own markers, and a test fails while it is out of date, so a row never outlives its test. The mechanisms are in
[architecture.md](architecture.md), the terms in the [glossary](glossary.md), and [sandbox.md](sandbox.md#faults) shows how to
inject faults.
"""


class Row(NamedTuple):
    """One row: the marker's four texts and the test that carries it."""

    category: str
    done: str
    seen: str
    after: str
    test: str


class MarkerError(ValueError):
    """A marker that cannot be a row; the text says where and why."""


def rows(folder: Path = TESTS) -> list[Row]:
    """All rows, in the order of the page. Raises MarkerError."""
    found = [row for path in sorted(folder.rglob("test_*.py")) for row in _rows_of(path, folder)]
    order = list(CATEGORIES)
    return sorted(found, key=lambda row: (order.index(row.category), row.test))


def _rows_of(path: Path, folder: Path) -> Iterator[Row]:
    text = path.read_text(encoding="utf-8")
    if "survives" not in text:
        return
    name = path.relative_to(folder).as_posix()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                for call in ast.walk(decorator):
                    if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.survives":
                        yield _row(call, f"{name}::{node.name}")


def _row(call: ast.Call, test: str) -> Row:
    texts = [part.value for part in call.args if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    if len(texts) != 4 or len(call.args) != 4 or call.keywords:
        raise MarkerError(f"{test}: survives takes four literal texts: category, done, seen, after")
    if texts[0] not in CATEGORIES:
        raise MarkerError(f"{test}: there is no category {texts[0]!r}; there are {', '.join(CATEGORIES)}")
    return Row(*texts, test)


def page(found: list[Row] | None = None) -> str:
    """The whole page."""
    found = rows() if found is None else found
    parts = [HEAD]
    for category, title in CATEGORIES.items():
        of_it = [row for row in found if row.category == category]
        if of_it:
            parts.append(f"## {title}\n\n| What was done | What you see | Afterwards |\n| --- | --- | --- |")
            parts.extend(
                f"| {_cell(row.done)} | {_cell(row.seen)} | {_cell(row.after)} ({_link(row)}) |" for row in of_it
            )
            parts.append("")
    return "\n".join(parts)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _link(row: Row) -> str:
    return f"[test](../tests/{row.test.split('::')[0]})"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"wrote {PAGE} with {len(rows())} rows\n")
