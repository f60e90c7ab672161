"""No variable of the machine that runs the tests may reach a config."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("DLT_SYNC_"):
            monkeypatch.delenv(name)
