"""How many code blocks of the pages ran, and why others did not, in pytest's summary. A plugin, because the tests may run in
other processes than the summary."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

BLOCKS = "page_blocks"
"""The property under which a test of the pages records its blocks, as pairs of what was done and the reason."""


def pytest_terminal_summary(terminalreporter: Any) -> None:
    blocks: Counter[tuple[str, str]] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport) and report.when == "call":
                for name, found in report.user_properties:
                    if name == BLOCKS and isinstance(found, (list, tuple)):
                        blocks.update((str(done), str(reason)) for done, reason in found)
    if not blocks:
        return
    ran = sum(count for (done, _), count in blocks.items() if done == "run")
    others = [f"{count} {done} ({reason})" for (done, reason), count in sorted(blocks.items()) if done != "run"]
    terminalreporter.write_line("; ".join([f"code blocks of the pages: {ran} ran", *others]))
