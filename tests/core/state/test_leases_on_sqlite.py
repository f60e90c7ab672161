"""The tests of `tests.support.contracts.leases`, with the ledger in an SQLite file."""

from __future__ import annotations

from tests.support.contracts.leases import *  # noqa: F403
