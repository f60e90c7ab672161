"""The classes that Microsoft's parser gave each statement (`make grammar`): of all of them, and those that were meant."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[3]
CLASSES: dict[str, list[str]] = json.loads((ROOT / "tests/golden/statement_classes.json").read_text(encoding="utf-8"))


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tsql_grammar", ROOT / "scripts" / "tsql_grammar.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_statement_was_parsed_once_it_changed() -> None:
    """A new golden file needs `make grammar` where the parser runs: scripts/tsql_grammar.py --write."""
    assert {name for name, _ in _script().statements()} == set(CLASSES)


def test_statements_are_of_the_class_that_was_meant() -> None:
    """A misspelt first word can be parsed as the call of a procedure."""
    switched = [name for name in CLASSES if "publish_switch" in name]
    assert switched
    assert all("AlterTableSwitchStatement" in CLASSES[name] for name in switched)
    batches = [classes for name, classes in CLASSES.items() if "/publish_" in name]
    assert all(classes.count("BeginTransactionStatement") == 1 for classes in batches)
    assert all(classes[-2:] == ["CommitTransactionStatement", "SetCommandStatement"] for classes in batches)
    catalog = [classes for name, classes in CLASSES.items() if name.startswith("catalog/")]
    assert catalog == [["SelectStatement"]] * len(catalog)
