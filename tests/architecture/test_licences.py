"""docs/licences.md names the licences that the installed packages have, that of Microsoft's driver with its file."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "licences.md"
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and "`" in line
]
SEVERAL = {"structlog", "psycopg", "psycopg2-binary", "prometheus-client"}
"""Packages that share a row with others: their licences stand in the row's order, behind semicolons."""


def licences() -> list[tuple[str, str]]:
    """Each package of the page with its licence there."""
    found = []
    for packages, _, licence in ROWS:
        names: list[str] = re.findall(r"`([A-Za-z0-9-]+)`", re.sub(r"\(extra[^)]*\)", "", packages))
        parts = licence.split("; ") if SEVERAL & set(names) else [licence] * len(names)
        found += list(zip(names, parts, strict=True))
    return found


def of_metadata(name: str) -> str:
    """All that the package says of its licence."""
    metadata = importlib.metadata.metadata(name)
    said = [text for field in ("License-Expression", "License") for text in metadata.get_all(field) or ()]
    texts = [each.read_text() for each in importlib.metadata.files(name) or () if each.name == "LICENSE"][:1]
    return " ".join([*said, *(line for line in metadata.get_all("Classifier") or () if "License" in line), *texts])


@pytest.mark.parametrize(("name", "licence"), licences())
def test_the_licence_of_a_package_is_that_of_its_metadata(name: str, licence: str) -> None:
    try:
        said = of_metadata(name)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{name} is not installed")
    words = re.findall(r"MIT-0|MIT|Apache-2\.0|BSD-2-Clause|LGPL|proprietary", licence)
    assert words, licence
    for word in words:
        assert re.search(word.replace("-2.0", ".*2\\.0"), said, re.IGNORECASE), f"{name} has {said[:200]}"


def test_the_terms_of_microsofts_driver_are_a_file_of_its_package() -> None:
    (file,) = re.findall(r"`(MICROSOFT_\w+\.txt)`", PAGE.read_text(encoding="utf-8"))
    assert file in {each.name for each in importlib.metadata.files("mssql-python-odbc") or ()}
