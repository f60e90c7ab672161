"""Importing this keeps pandas out of the process. The sandbox has no use for it, but pyarrow imports it, wherever it is
installed, at the first `pa.scalar` or `pa.array`: a third of the time that the process takes to start, and 50 MB.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class _Absent(MetaPathFinder):
    """Answers for pandas before the finders that would find it. pyarrow and DuckDB then work as where it is not installed."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "pandas":
            raise ModuleNotFoundError("pandas is left out of the sandbox's process", name=fullname)
        return None


sys.meta_path.insert(0, _Absent())
