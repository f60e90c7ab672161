"""`dagster definitions validate`, in a process of its own that has Dagster loaded already."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from dagster._cli import main


def call(environment: Mapping[str, str]) -> None:
    """`dagster definitions validate -w workspace.yaml` as a person calls it. No config but the one in this environment."""
    os.environ.pop("DLT_SYNC_CONFIG", None)
    os.environ.update(environment)
    sys.argv = ["dagster", "definitions", "validate", "-w", "workspace.yaml"]
    main()  # type: ignore[no-untyped-call]
