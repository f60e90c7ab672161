"""The consoles of a command, and how an error looks on them."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.text import Text

from dltsync_core.display import visible

WIDTH_OF_A_LOG = 160
"""Columns of the output when stdout is no terminal: wide enough for a table of results."""

stderr = Console(stderr=True, highlight=False)
stdout = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH_OF_A_LOG)


def print_error(problem: str, remedy: str) -> None:
    """The two lines of an error on stderr. Not wrapped: a path broken over two lines cannot be copied."""
    stderr.print(Text.assemble(("error: ", "bold red"), visible(problem)), soft_wrap=True)
    if remedy:
        stderr.print(Text.assemble(("  -> ", "bold"), visible(remedy)), soft_wrap=True)
