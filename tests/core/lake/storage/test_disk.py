"""Files of the lake under names that several processes give and take at the same time."""

from __future__ import annotations

from pathlib import Path

import pytest

from dltsync_core.lake.storage.disk import rename_into


def test_a_file_is_moved_although_another_process_removes_it_with_its_directory_right_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "staged.parquet", tmp_path / "_retired" / "load" / "part.parquet"
    source.write_bytes(b"rows")
    replace = Path.replace

    def replaced_and_removed(self: Path, to: Path) -> Path:
        moved = replace(self, to)
        to.unlink()
        to.parent.rmdir()
        return moved

    monkeypatch.setattr(Path, "replace", replaced_and_removed)
    assert rename_into(source, target, "moving a file to")
    assert not source.exists()


def test_a_file_that_is_not_there_is_not_moved(tmp_path: Path) -> None:
    assert not rename_into(tmp_path / "nothing", tmp_path / "somewhere" / "else", "moving a file to")
