"""YAML with the plain scalars of YAML 1.2, which refuses a field given twice.

PyYAML reads YAML 1.1, where `NO` is false, `012` is ten, `12:30` is 750, `1_000` is a number and `2024-01-01` is a date. Here
words are words, as in YAML 1.2 and in the editors that check a config: only true and false are boolean (boolean fields
accept yes, no, on and off as well), numbers are decimal or hexadecimal, dates stay text. A number with a leading zero is refused,
because it is ambiguous: its text or its value.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+")


class PlainLoader(yaml.SafeLoader):
    """A safe loader with the core schema of YAML 1.2 that refuses a field given twice (PyYAML takes the last one)."""


def _mapping(loader: PlainLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[str] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.value != "<<":
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"field `{key.value}` is given twice", key.start_mark
                )
            seen.add(key.value)
    loader.flatten_mapping(node)
    values: dict[Any, Any] = loader.construct_mapping(node, deep=True)
    for (key, _), name in zip(node.value, (loader.construct_object(key) for key, _ in node.value), strict=True):
        if not isinstance(name, str):
            # Its text is not part of the message: behind a comma it may be the rest of a password.
            raise yaml.constructor.ConstructorError(
                None,
                None,
                "the name of a field is no text: put it in quotes; in `{…}` a value that has a comma needs quotes, too",
                key.start_mark,
            )
    return values


def _int(loader: PlainLoader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    if _LEADING_ZERO.fullmatch(text):
        raise yaml.constructor.ConstructorError(
            None,
            None,
            "a number with a leading zero: put it in quotes for its text, or remove the zero",
            node.start_mark,
        )
    return int(text, 0)


def _float(loader: PlainLoader, node: yaml.ScalarNode) -> float:
    return float(str(loader.construct_scalar(node)).lower().replace(".inf", "inf").replace(".nan", "nan"))


PlainLoader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", re.compile(r"true|True|TRUE|false|False|FALSE"), "tTfF"),
    ("int", _INT, "-+0123456789"),
    ("float", _FLOAT, "-+0123456789."),
    ("null", re.compile(r"~|null|Null|NULL|"), ["~", "n", "N", ""]),
    ("merge", re.compile(r"<<"), "<"),
):
    # Full matches only: PyYAML calls `match` on its patterns.
    PlainLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern.pattern})\Z"), list(_first)
    )
PlainLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
PlainLoader.add_constructor("tag:yaml.org,2002:int", _int)
PlainLoader.add_constructor("tag:yaml.org,2002:float", _float)
