"""Modules that are imported when they are first used, so that `--help` and shell completion import nothing heavy."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any


class LazyModule(ModuleType):
    """Stands for the module of this name. The first attribute that is asked of it imports the module.

    Import the real module under `TYPE_CHECKING` beside it: type checkers then know its names.
    """

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self.__name__), name)
