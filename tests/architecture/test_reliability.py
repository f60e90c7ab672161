"""docs/reliability.md says what the tests prove."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reliability_docs", ROOT / "scripts" / "reliability_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_page_is_current(script: ModuleType) -> None:
    written = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    assert written == script.page(), "run: .venv/bin/python scripts/reliability_docs.py"


def test_no_case_is_told_twice(script: ModuleType) -> None:
    told = [(row.category, row.done) for row in script.rows()]
    assert len(told) == len(set(told))


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        ('"network", "a", "b", "c"', None),
        ('"network", "a", "b"', "four literal texts"),
        ('"network", "a", "b", "c" + str(1)', "four literal texts"),
        ('"netwrk", "a", "b", "c"', "there is no category 'netwrk'; there are network"),
    ],
)
def test_a_marker_is_read_where_it_stands(marker: str, said: str | None, script: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import pytest\n@pytest.mark.parametrize('x', [pytest.param(1, marks=pytest.mark.survives("
        f"{marker}))])\ndef test_one(x): ...\n"
    )
    if said is None:
        assert script.rows(tmp_path) == [("network", "a", "b", "c", "test_it.py::test_one")]
        assert "| a | b | c ([test](../tests/test_it.py)) |" in script.page(script.rows(tmp_path))
    else:
        with pytest.raises(script.MarkerError, match=said):
            script.rows(tmp_path)
