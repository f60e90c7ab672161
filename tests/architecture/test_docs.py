"""Pages that describe the code agree with it, and links between pages lead somewhere."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dltsync_core.config import json_schema

ROOT = Path(__file__).resolve().parents[2]


def test_the_configuration_page_is_current() -> None:
    spec = importlib.util.spec_from_file_location("configuration_docs", ROOT / "scripts" / "configuration_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert written == module.page(), "run: .venv/bin/python scripts/configuration_docs.py"


def test_the_configuration_page_has_each_field_once_and_every_field() -> None:
    """A field that several sections share stands in one of them."""
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert [row for row in sorted(set(rows)) if rows.count(row) > 1] == []
    schema = json_schema()
    models = [schema, *(model for model in schema["$defs"].values() if "properties" in model)]
    assert {name for model in models for name in model["properties"]} == {row.split("`")[1] for row in rows}


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


# -- the glossary -------------------------------------------------------------------------------------------------------

GLOSSARY = ROOT / "docs" / "glossary.md"

MUST_HAVE_TERMS = """
source; lake; warehouse; ledger; pipeline; table kind; load target; unit
boundary; slot; partition key; partition scope; repartition group; retire
probe; probe signature; change detection; stamp; watermark; lag; window; increment; full load; ceiling; held back
run; run id; load; load id; plan; step; read view; batch; slice; staging; publish; manifest; footer; replaced rows
disposition; validate
commit; committed unit; event; lease; fence; marker; generation; compare-and-set
transient error; retry budget; circuit breaker; resumable rows
representation; fidelity contract; definition digest; digest; fingerprint; column statistics; row diff; bucket; schema drift
schema change; recovery; adopt; reload; resume; quarantine; orphan file; superseded; expire; retained rows
business key; version; open version; open end; version issue; sandbox; checkpoint
"""


def test_the_glossary_explains_every_term() -> None:
    wanted = {term.strip() for term in re.split(r"[;\n]", MUST_HAVE_TERMS) if term.strip()}
    explained = re.findall(r"\*\*([^*]+)\*\*", GLOSSARY.read_text(encoding="utf-8"))
    assert sorted(wanted - set(explained)) == []
    assert sorted({term for term in explained if explained.count(term) > 1}) == [], "one word, one meaning"
    assert sorted(set(explained) - wanted) == [], "a new term belongs to MUST_HAVE_TERMS too"


def test_the_pages_lead_to_the_glossary() -> None:
    pages = [ROOT / "README.md", *(p for p in (ROOT / "docs").glob("*.md") if p != GLOSSARY)]
    assert [page.name for page in pages if "glossary.md" not in page.read_text(encoding="utf-8")] == []


# -- the page on architecture -------------------------------------------------------------------------------------------

ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
ROOMS_SECTION, WAY_SECTION = (
    ARCHITECTURE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    for title in ("The rooms of the core", "The way of one partition")
)
FILES_OF_RUN = 10
"""As many files of `run/` may a reader have to open to follow a partition."""


def test_the_map_lists_every_room_and_folder() -> None:
    core = ROOT / "dltsync_core"
    rooms = {
        f"{path.name}/" if path.is_dir() else path.name
        for path in core.iterdir()
        if (path.is_dir() or path.suffix == ".py") and not path.name.startswith("__")
    }
    folders = {
        f"{path.relative_to(core).as_posix()}/"
        for path in core.rglob("*/*")
        if path.is_dir() and path.name != "__pycache__"
    }
    assert rooms == set(re.findall(r"^\| `([\w/.]+)`", ROOMS_SECTION, re.MULTILINE))
    assert folders <= set(re.findall(r"`([\w/]+/)`", ROOMS_SECTION))


def test_paths_and_functions_of_the_architecture_page_exist() -> None:
    files = set(re.findall(r"`(?:dltsync_core/)?([\w/]+\.py)`", ARCHITECTURE))
    assert files
    assert sorted(name for name in files if not (ROOT / "dltsync_core" / name).is_file()) == []
    folders = {name for name in re.findall(r"`([\w/]+/)`", ARCHITECTURE) if not name.startswith("tests/")}
    assert sorted(name for name in folders if not (ROOT / "dltsync_core" / name).is_dir()) == []
    named = [
        (file, name)
        for file, names in re.findall(r"`([\w/]+\.py)`:((?:\s+`[\w.]+`,?)+)", ARCHITECTURE)
        for name in re.findall(r"`([\w.]+)`", names)
    ]
    assert len(named) > 15
    assert [(file, name) for file, name in named if name not in _defined_in(ROOT / "dltsync_core" / file)] == []


def test_the_way_of_one_partition_is_short() -> None:
    assert len(set(re.findall(r"`(run/[\w/]+\.py)`", WAY_SECTION))) <= FILES_OF_RUN


def _defined_in(path: Path) -> set[str]:
    """Functions and classes of a module, and `Class.method`."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{part.name}" for part in node.body if isinstance(part, ast.FunctionDef)}
    return names


# -- words that were given up -------------------------------------------------------------------------------------------

COINED = "kin heirs? purse recourse strays? rhythms? octets? kept.rows likeness superfluous.rows vanished.heads? committed.heads?"
"""Coined names of earlier versions: no page and no message of the core has them."""

RIDDLES = (
    "told nobody somebody anybody everybody mend(s|ed|ing)? heal(s|ed|ing)? tid(y|ied) sweeps? swept spelt spellings? "
    "(set|sets|put|puts).aside left.alone lying.about"
)
"""Words that hide who does what: pages, and the messages of rooms that are free of them, do without."""

PLAIN_ROOMS = ("config", "connect", "catalog", "typemap", "tsql", "extract", "digest", "duckdb", "validate")


def _words(*lists: str) -> re.Pattern[str]:
    words = "|".join(word.replace(".", r"\s+") for words in lists for word in words.split())
    return re.compile(rf"(?<![\w-])(?:{words})(?![\w-])", re.IGNORECASE)


def _pages() -> list[Path]:
    return [*(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"]


def test_pages_use_no_retired_word() -> None:
    retired = _words(COINED, RIDDLES)
    found = [
        f"{page.name}: {match[0]!r} in {text[max(match.start() - 40, 0) : match.end() + 40]!r}"
        for page in _pages()
        for text in [page.read_text(encoding="utf-8")]
        for match in retired.finditer(text)
    ]
    assert found == []


def test_messages_and_help_use_no_retired_word() -> None:
    core, location = ROOT / "dltsync_core", ROOT / "dltsync_dagster"
    plain = [
        *core.glob("*.py"),
        *location.rglob("*.py"),
        *(p for room in PLAIN_ROOMS for p in (core / room).rglob("*.py")),
    ]
    scopes = ((_words(COINED), sorted(core.rglob("*.py"))), (_words(RIDDLES), sorted(plain)))
    found = [
        f"{path.relative_to(ROOT)}:{line}: {match[0]!r} in {text[:80]!r}"
        for retired, paths in scopes
        for path in paths
        for text, line in _messages(path)
        for match in retired.finditer(text)
    ]
    assert found == []


def _messages(path: Path) -> Iterator[tuple[str, int]]:
    """Texts of a module that users may see: strings of several words, without docstrings. Help texts are among them."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or id(node) in documentation:
            continue
        if isinstance(node.value, str) and " " in node.value.strip():
            yield node.value, node.lineno


def test_the_word_lists_match() -> None:
    retired = _words(COINED, RIDDLES)
    for text in (
        "QueryError and its kin",
        "damaged files are set  aside",
        "the heirs",
        "it mends the ledger",
        "who is told",
    ):
        assert retired.search(text), text
    for text in (
        "`--answer quarantine`",
        "enable_self_healing",
        "toolkind",
        "SPELT_DIFFERENTLY",
        "`possible_same_key`",
    ):
        assert not retired.search(text), text
