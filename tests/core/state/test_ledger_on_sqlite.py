"""The tests of `tests.support.contracts.ledger`, with the ledger in an SQLite file."""

from __future__ import annotations

from tests.support.contracts.ledger import *  # noqa: F403
