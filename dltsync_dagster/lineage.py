"""Where a table comes from: each column to its source column, the files of a load, and links from the asset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from dltsync_core.committed import TableKind
from dltsync_dagster.markdown import code, grid

COLUMNS = "dltsync/columns"
SOURCE = "dltsync/source_asset"
LAKE_FOLDER = "dltsync/lake_folder"
LAKE_FILES = "dltsync/lake_files"
DOCS = "dltsync/docs"

_SHOWN_COLUMNS = 200
_SHOWN_FILES = 20
_PAGES: Mapping[TableKind, str] = {"partition": "changes", "scd": "validation", "static": "changes"}
"""The page that explains how a table of that kind is loaded."""


def lineage_metadata(
    contracts: Mapping[str, Mapping[str, Any]], source_key: dg.AssetKey, files: Sequence[str]
) -> dict[str, Any]:
    """The lineage of a table whose newest load wrote `files`. The table under `dltsync/columns` says the same as
    `dagster/column_lineage`, which the open-source UI does not draw."""
    return {
        "dagster/column_lineage": dg.TableColumnLineage(
            {name: [dg.TableColumnDep(asset_key=source_key, column_name=name)] for name in contracts}
        ),
        COLUMNS: dg.MetadataValue.md(_columns_table(contracts, source_key)),
        SOURCE: dg.MetadataValue.asset(source_key),
        LAKE_FOLDER: dg.MetadataValue.path(_folder(files[-1])),
    }


def files_metadata(files: Sequence[str]) -> dict[str, Any]:
    """The files of one load in the lake, by their paths or addresses."""
    if not files:
        return {}
    shown = [(code(file),) for file in files]
    return {LAKE_FILES: dg.MetadataValue.md(grid(("file",), shown, numbers=0, limit=_SHOWN_FILES))}


def docs_metadata(docs_url: str | None, kind: TableKind) -> dict[str, Any]:
    """A link to the page about tables of that kind, where the address of the pages is known."""
    if not docs_url:
        return {}
    page = _PAGES[kind]
    address = docs_url.replace("{page}", page) if "{page}" in docs_url else f"{docs_url.rstrip('/')}/{page}.md"
    return {DOCS: dg.MetadataValue.url(address)}


def _columns_table(contracts: Mapping[str, Mapping[str, Any]], source_key: dg.AssetKey) -> str:
    rows = [
        (code(name), code(f"{'/'.join(source_key.path)}.{name}"), code(contract["sql_type"]), code(contract["arrow_type"]),
         _promise(contract))
        for name, contract in contracts.items()
    ]  # fmt: skip
    return grid(
        ("column", "source column", "type at the source", "type here", "values"), rows, numbers=0, limit=_SHOWN_COLUMNS
    )


def _promise(contract: Mapping[str, Any]) -> str:
    return "exact" if contract["lossless"] else f"loses {code(str(contract['lost']))}"


def _folder(address: str) -> str:
    return address.rpartition("/")[0] if "://" in address else str(Path(address).parent)
