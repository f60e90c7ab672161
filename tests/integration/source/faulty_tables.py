"""A table on a server that misbehaves when a test tells it to."""

from __future__ import annotations

from sqlserver_sandbox.faults.plan import Where

ROWS = 400


AT_ROWS = Where(pattern="SELECT \\[id\\]")
"""A statement for the rows of the table."""
