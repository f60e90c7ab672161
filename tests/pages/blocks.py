"""The code blocks of the pages, and what an HTML comment above a block says about it.

    <!-- not run: REASON -->       cannot run in a test, and why
    <!-- only loaded: REASON -->   a config that is read and checked, but for which no command runs
    <!-- run by: tests/FILE.py --> another test runs it
    <!-- exit code: N -->          the last command of the block ends with this code

A block in the language `text` is a drawing or output, not code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/*.md", "examples/**/*.md", "deploy/**/*.md", "docker/**/*.md", "tests/*.md")
    for page in ROOT.glob(pattern)
)
NOT_CODE = "text"
MARKS = ("not run", "only loaded", "run by", "exit code")
_COMMENT = re.compile(r"<!--\s*([a-z ]+?):\s*(.*?)\s*-->")


@dataclass(frozen=True)
class Block:
    """`info` is the first line of the block without the fence: the language, and words that say more. `mark` and `reason` are
    of the comment above it."""

    page: str
    line: int
    info: str
    text: str
    mark: str | None = None
    reason: str = ""

    @property
    def language(self) -> str:
        return self.info.partition(" ")[0]

    @property
    def is_code(self) -> bool:
        return self.language != NOT_CODE

    @property
    def runs_here(self) -> bool:
        return self.is_code and self.mark not in ("not run", "run by")

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(text: str, page: str) -> list[Block]:
    """The code blocks of a page, in order. Raises ValueError for a comment that stands above no block, or has an unknown mark."""
    found: list[Block] = []
    above: tuple[int, str, str] | None = None
    for token in MarkdownIt().parse(text):
        if token.map is None:
            continue
        start, end = token.map
        if token.type == "html_block" and (comment := _COMMENT.search(token.content)):
            if comment[1] not in MARKS or not comment[2]:
                raise ValueError(f"{page}:{start + 1}: {comment[0]} is none of {', '.join(MARKS)}")
            above = (end, comment[1], comment[2])
        elif token.type in ("fence", "code_block"):
            mark, reason = (above[1], above[2]) if above is not None and above[0] == start else (None, "")
            if mark is not None:
                above = None
            found.append(Block(page, start + 1, token.info.strip(), token.content, mark, reason))
    if above is not None:
        raise ValueError(f"{page}:{above[0]}: no code block follows the comment `{above[1]}`")
    return found


def page_blocks(page: Path) -> list[Block]:
    return blocks_of(page.read_text(encoding="utf-8"), page.relative_to(ROOT).as_posix())
