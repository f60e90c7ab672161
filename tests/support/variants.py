"""Variants of one test, of which `make test` runs some and `make test-slow` all."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import product
from typing import Any

import pytest
from _pytest.mark import ParameterSet


def variants(cases: Mapping[str, Any] | Iterable[str], often: Collection[str]) -> list[ParameterSet]:
    """Parameters by their ids: those of `often` as they are, the others as slow tests. Raises ValueError for a name that
    is no case.

    A case is its value, or a tuple of values for several arguments; names alone stand for themselves."""
    named = dict(cases) if isinstance(cases, Mapping) else {name: name for name in cases}
    if unknown := set(often) - set(named):
        raise ValueError(f"{sorted(unknown)} are none of {list(named)}")
    return [
        pytest.param(
            *(value if isinstance(value, tuple) else (value,)),
            id=name,
            marks=[] if name in often else [pytest.mark.slow],
        )
        for name, value in named.items()
    ]


def crossed(*arguments: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Every combination, by ids joined as pytest joins them."""
    return {
        "-".join(names): tuple(values[name] for values, name in zip(arguments, names, strict=True))
        for names in product(*arguments)
    }
