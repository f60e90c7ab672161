"""The Dockerfile without an engine: every file it copies exists and reaches the builder, and pip has what it needs."""

from __future__ import annotations

import fnmatch
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from tests.deployment.compose_files import ROOT

TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")
STAGES = re.split(r"^FROM ", re.sub(r"\\\n\s*", " ", TEXT), flags=re.M)[1:]


def copied(stage: str) -> list[str]:
    """What a stage copies out of the repository."""
    lines = [line.split()[1:] for line in stage.splitlines() if line.startswith("COPY ") and "--from=" not in line]
    return [path for line in lines for path in [part for part in line if not part.startswith("--")][:-1]]


def ignored(path: str) -> bool:
    """As .dockerignore says: the last rule that fits a path or a folder above it."""
    result = False
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    folders = [path, *(str(parent) for parent in Path(path).parents)][:-1]
    for rule in rules:
        pattern = rule.removeprefix("!").removeprefix("**/")
        tried = [Path(one).name for one in folders] if "**/" in rule else folders
        if any(fnmatch.fnmatch(one, pattern) for one in tried):
            result = not rule.startswith("!")
    return result


def test_what_is_copied_exists_and_is_sent_to_the_builder() -> None:
    paths = [path for stage in STAGES for path in copied(stage)]
    assert {"pyproject.toml", "dltsync_core", "docker/entrypoint.sh"} <= set(paths)
    for path in paths:
        assert (ROOT / path).exists(), path
        assert not ignored(path), f".dockerignore leaves out {path}"
    for path in (".env", ".git", ".dltsync/state", "dltsync_core/__pycache__/x.pyc", "docker/env.example"):
        assert ignored(path), f".dockerignore sends {path}"


def test_the_layer_of_dependencies_does_not_change_with_the_code() -> None:
    dependencies, package, image = STAGES
    assert copied(dependencies) == ["pyproject.toml", "constraints.txt", "LICENSE"]
    assert "pip install --constraint constraints.txt '.[deploy]'" in dependencies
    assert {"dltsync_core", "dltsync_dagster", "sqlserver_sandbox"} == set(copied(package))
    assert "COPY --from=dependencies /opt/dltsync /opt/dltsync" in image
    assert image.index("--from=dependencies") < image.index("from=package"), "the code is the upper layer"


def test_the_image_runs_without_root_and_is_watched() -> None:
    image = STAGES[-1]
    assert re.findall(r"^USER (\S+)$", image, re.M) == ["10001"] == re.findall(r"useradd .*--uid (\d+) dltsync", image)
    assert re.search(r"^HEALTHCHECK .*grpc-health-check", image, re.M)
    assert image.index("\nUSER ") > image.index("apt-get"), "what needs root comes before"
    assert {stage.split()[0] for stage in STAGES} == {"${BASE}", "dependencies"}, (
        "one base for all, which a digest may pin"
    )
    assert not re.search(r"(?i)password|secret=", image)


def test_a_release_pins_the_base_by_its_digest(tmp_path: Path) -> None:
    """The step that looks the digest up, with a registry that answers; its result is what the image is built from."""
    steps = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())["jobs"]["image"]["steps"]
    (look_up,) = (step for step in steps if step.get("id") == "base")
    (build,) = (step for step in steps if "build-push-action" in step.get("uses", ""))
    assert build["with"]["build-args"] == "BASE=${{ steps.base.outputs.pinned }}"
    assert steps.index(look_up) < steps.index(build)
    for answer, pinned in (("sha256:abc", "python:3.12-slim-bookworm@sha256:abc"), ("", None)):
        (tmp_path / "docker").write_text(f"#!/bin/sh\necho {answer}\n")
        (tmp_path / "docker").chmod(0o755)
        output = tmp_path / "output"
        output.write_text("")
        environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "GITHUB_OUTPUT": str(output)}
        done = subprocess.run(
            ["bash", "-e", "-c", look_up["run"]],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            check=False,
            timeout=30,
        )
        assert (done.returncode == 0) is (pinned is not None), done.stderr
        assert output.read_text() == (f"pinned={pinned}\n" if pinned else "")


@pytest.mark.slow  # builds two wheels
@pytest.mark.parametrize("stage", [0, 1], ids=["dependencies", "package"])
def test_a_wheel_is_built_of_what_the_stage_has(tmp_path: Path, stage: int) -> None:
    """pip builds dltsync without its code in the first stage, and with it in the second."""
    source = tmp_path / "src"
    source.mkdir()
    for path in (path for one in STAGES[: stage + 1] for path in copied(one)):
        if (ROOT / path).is_dir():
            shutil.copytree(ROOT / path, source / path, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / path, source / path)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(tmp_path),
        ".",
    ]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False, timeout=250)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        modules = [name for name in archive.namelist() if name.endswith(".py")]
        (metadata,) = (name for name in archive.namelist() if name.endswith("METADATA"))
        assert "Provides-Extra: deploy" in archive.read(metadata).decode()
    assert bool(modules) is (stage == 1)
