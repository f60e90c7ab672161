"""Pages that describe the code agree with it, and links between pages lead somewhere."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_the_configuration_page_is_current() -> None:
    spec = importlib.util.spec_from_file_location("configuration_docs", ROOT / "scripts" / "configuration_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert written == module.page(), "run: .venv/bin/python scripts/configuration_docs.py"


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))])
def test_local_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = [t.split("#")[0] for t in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in t]
    missing = [t for t in targets if t and not ((ROOT / page).parent / t).exists()]
    assert not missing


def test_no_page_names_a_place_that_only_we_have() -> None:
    words = re.compile(r"(?<![\w.])/(?:work|root|home|tmp)/|\.\./shared|127\.0\.0\.1:5\d{4}")
    wrong = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for folder in ("docs", "examples", "docker", "dltsync_core", "dltsync_dagster", "sqlserver_sandbox")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".md", ".py", ".yaml", ".sql"}
        for match in words.finditer(path.read_text(encoding="utf-8"))
    ]
    assert not wrong
