"""A full disk is recognised in the words of each library, and no other fault is taken for one."""

from __future__ import annotations

import ast
import errno
import sqlite3

import duckdb
import pytest

from dltsync_core.disk_full import disk_full, is_disk_full
from tests.architecture.imports import ROOT, modules_of


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), True),
        (OSError(errno.EFBIG, "File too large"), True),
        (OSError("[Errno 28] Error writing bytes to file. Detail: No space left on device"), True),
        (OSError(errno.EACCES, "Permission denied"), False),
        (duckdb.IOException("IO Error: Could not write file: No space left on device"), True),
        (duckdb.OutOfMemoryException("failed to offload data block of size 256.0 KiB"), True),
        (duckdb.IOException("IO Error: Could not set lock on file"), False),
        (sqlite3.OperationalError("database or disk is full"), True),
        (sqlite3.OperationalError("database is locked"), False),
    ],
)
def test_each_library_says_it_in_its_own_way(error: Exception, full: bool) -> None:
    assert is_disk_full(error) is full


def test_postgresql_says_it_by_its_sqlstate() -> None:
    assert is_disk_full(Exception("could not extend file"), sqlstate="53100")
    assert not is_disk_full(Exception("no space left in the queue"), sqlstate="53200")


def test_the_error_says_where_and_what_to_do() -> None:
    error = disk_full("at /lake", "errno 28", move="move the lake", outcome="nothing was published", path="/lake")
    assert str(error) == (
        "no room left at /lake: errno 28\n"
        "  -> free some space (or raise the quota) or move the lake, then run again; nothing was published"
    )
    assert error.facts == {"path": "/lake"}


def test_no_other_file_recognises_a_full_disk() -> None:
    numbers = {"ENOSPC", "EDQUOT", "EFBIG"}
    found = {
        str(path.relative_to(ROOT))
        for path in modules_of("dltsync_core").values()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Attribute) and node.attr in numbers)
        or (isinstance(node, ast.Constant) and isinstance(node.value, str) and "no space left" in node.value.lower())
        or (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "DiskFull")
    }
    assert found == {"dltsync_core/disk_full.py"}
