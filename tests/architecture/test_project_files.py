"""Files for contributors and releases: they parse, name what exists, and the version is one."""

from __future__ import annotations

import importlib.util
import re
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

import dltsync_core
from tests.architecture.imports import ROOT

FILES = [
    ".pre-commit-config.yaml",
    *(f".github/{p.relative_to(ROOT / '.github')}" for p in (ROOT / ".github").rglob("*.yml")),
]


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", FILES)
def test_the_files_parse_and_the_scripts_that_they_call_exist(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert yaml.safe_load(text)
    called = set(re.findall(r"\bscripts/\w+\.\w+", text.replace("\\", "")))
    assert [path for path in sorted(called) if not (ROOT / path).is_file()] == []


def test_commands_of_the_workflows_are_targets_of_make() -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8")))
    pages = ["CONTRIBUTING.md", "SECURITY.md", ".github/workflows/ci.yml", ".github/workflows/release.yml"]
    called = {
        name for page in pages for name in re.findall(r"`?make ([a-z-]+)", (ROOT / page).read_text(encoding="utf-8"))
    }
    assert called
    assert sorted(called - targets) == []


def test_the_release_has_a_wheel_a_sdist_and_an_image() -> None:
    jobs: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))["jobs"]
    assert set(jobs) == {"packages", "pypi", "image"}
    assert "python -m build" in str(jobs["packages"])


def test_the_package_knows_its_version() -> None:
    assert dltsync_core.__version__ == version("dltsync")
    assert "__version__" in dir(dltsync_core)


@pytest.mark.parametrize(("tag", "expected"), [("v1.2.3", "1.2.3"), ("v0.10.0rc1", "0.10.0rc1")])
def test_the_version_comes_from_the_tag(tmp_path: Path, tag: str, expected: str) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text((ROOT / "pyproject.toml").read_text(encoding="utf-8"), encoding="utf-8")
    assert script("set_version").set_version(tag, file) == expected
    assert f'\nversion = "{expected}"\n' in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("tag", ["1.2.3", "v1.2", "v1.2.3; rm -rf /", "vlatest"])
def test_a_tag_that_is_no_version_is_refused(tmp_path: Path, tag: str) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text('version = "0.1.0"\n', encoding="utf-8")
    with pytest.raises(SystemExit, match="no tag of a version"):
        script("set_version").set_version(tag, file)
    assert file.read_text(encoding="utf-8") == 'version = "0.1.0"\n'
