"""The tests keep their own layout: helpers apart from tests, core tests in the folders of the core, servers in tests/services."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture.imports import ROOT, imported, modules_of

MODULES = modules_of("tests")

SERVICES = (
    "postgres_url",
    "own_postgres",
    "postgres_server",
    "s3_bucket",
    "azure_bucket",
    "gcs_bucket",
    "bucket",
    "sandbox",
    "own_sandbox",
    "faults",
    "forks",
)
"""Fixtures that start a server or a process."""
PROCESSES = ("subprocess", "multiprocessing", "tests.support.forks", "tests.support.postgres_server")
"""Modules with which a test starts one itself."""


def is_test(module: str) -> bool:
    return module.rpartition(".")[2].startswith("test_")


def test_no_test_module_imports_another() -> None:
    """What two of them need is a helper, and has a name that says what it is."""
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {other}"
        for path in MODULES.values()
        for other, line in imported(path, MODULES)
        if other.startswith("tests.") and any(part.startswith("test_") for part in other.split("."))
    ]
    assert not wrong, "\n".join(wrong)


def test_every_folder_of_core_tests_is_a_folder_of_the_core() -> None:
    folders = {
        path.parent.relative_to(ROOT / "tests" / "core") for path in (ROOT / "tests" / "core").rglob("test_*.py")
    }
    folders |= {path.parent.relative_to(ROOT / "tests" / "services") for path in _services()}
    missing = [str(folder) for folder in sorted(folders) if not (ROOT / "dltsync_core" / folder).is_dir()]
    assert missing == []


def _services() -> list[Path]:
    return list((ROOT / "tests" / "services").rglob("test_*.py"))


def test_core_tests_start_no_server_and_no_process() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {other}"
        for module, path in MODULES.items()
        if module.startswith("tests.core.")
        for other, line in imported(path, MODULES)
        if other.startswith(PROCESSES)
    ]
    wrong += [
        f"{path.relative_to(ROOT)} asks for {fixture}"
        for module, path in MODULES.items()
        if module.startswith("tests.core.")
        for fixture in SERVICES
        if f" {fixture}:" in (text := path.read_text(encoding="utf-8")) or f"({fixture}:" in text
    ]
    assert not wrong, "\n".join(wrong)


def test_what_is_shipped_for_tests_needs_no_pytest() -> None:
    shipped = modules_of("dltsync_core")
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {other}"
        for module, path in shipped.items()
        if module.startswith("dltsync_core.testing")
        for other, line in imported(path, shipped)
        if other.split(".")[0] in ("pytest", "_pytest", "hypothesis", "tests")
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(("module", "expected"), [("tests.core.run.test_retry", True), ("tests.support.forks", False)])
def test_a_test_module_is_known_by_its_name(module: str, expected: bool) -> None:
    """A guard that finds nothing would pass for ever."""
    assert module in MODULES
    assert is_test(module) is expected
