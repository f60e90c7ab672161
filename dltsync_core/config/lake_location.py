"""Where the lake may be: a directory, or a prefix of an object store. Pure: no file system or store is accessed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Secret, WithJsonSchema

OBJECT_STORES: Mapping[str, str] = {
    "s3": "s3",
    "s3a": "s3",
    "abfss": "azure",
    "abfs": "azure",
    "az": "azure",
    "gs": "gcs",
    "gcs": "gcs",
}
"""The scheme of a URL, and the extra of this package that brings its driver."""

_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+)://(?P<rest>.*)", re.DOTALL)


def scheme_of(location: Path | str) -> str | None:
    """The scheme of an object store's URL; None for a directory."""
    match = _SCHEME.fullmatch(location) if isinstance(location, str) else None
    return match["scheme"].lower() if match else None


def _lake_location(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    match = _SCHEME.fullmatch(value)
    if match is None:
        return Path(value)
    scheme, rest = match["scheme"].lower(), match["rest"].strip("/")
    if scheme == "file":
        raise ValueError("write a directory as a path, without file://")
    if scheme not in OBJECT_STORES:
        known = ", ".join(f"{name}://" for name in OBJECT_STORES)
        raise ValueError(f"a lake cannot be stored at {scheme}://; use a directory, or one of {known}")
    bucket, _, prefix = rest.partition("/")
    login = "@" in prefix or ":" in bucket or ("@" in bucket and not scheme.startswith("abfs"))
    if not bucket or login or "?" in rest or "#" in rest:
        raise ValueError(
            f"write {scheme}://<bucket>/<prefix>, without credentials, port or parameters: those belong in storage_options"
        )
    return f"{scheme}://{rest}"


def _options(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError("not a JSON object") from None  # the value may hold a key: it is not repeated


LakeLocation: TypeAlias = Annotated[Path | str, BeforeValidator(_lake_location), WithJsonSchema({"type": "string"})]
"""A directory as Path, or the URL of a prefix in an object store as text, without a slash at its end."""

StorageOptions: TypeAlias = Annotated[
    Secret[dict[str, Any]], BeforeValidator(_options), WithJsonSchema({"type": "object", "additionalProperties": True})
]
"""Options for an object store's driver. A mapping, or JSON text of one (an environment variable). Never shown."""
