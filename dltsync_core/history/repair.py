"""From findings to changes: pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RepairPlan:
    """What would be changed."""
