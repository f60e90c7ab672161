"""Where dlt keeps its working files while a load runs: a directory for every attempt, and nothing afterwards."""

from __future__ import annotations

import hashlib
import re
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dltsync_core.clock import utc_now
from dltsync_core.lake.storage.directory_lock import DirectoryLock, is_abandoned
from dltsync_core.lake.storage.disk import explained, make_directory, remove_tree

_UNSAFE_FOR_DLT = re.compile(r"['*?\[\]{}=%]")
"""dlt pastes the path of its working directory into read_parquet('...') and into a %-format, where these mean something."""


class WorkDirectories:
    """The working directories of one warehouse file, below `parent`."""

    def __init__(self, parent: Path, warehouse: Path) -> None:
        parent = parent.absolute()
        self._parent = Path(tempfile.gettempdir()) if _UNSAFE_FOR_DLT.search(str(parent)) else parent
        self._prefix = f"dlt-{hashlib.sha256(str(warehouse.absolute()).encode()).hexdigest()[:8]}-"

    @contextmanager
    def of_attempt(self, load_id: str) -> Iterator[Path]:
        """A directory of this attempt's own, so that nothing dlt kept from another can be taken for this one's."""
        make_directory(self._parent)
        directory = self._parent / f"{self._prefix}{load_id}-{uuid.uuid4().hex[:8]}"
        with explained(directory, "creating the directory"):
            directory.mkdir(mode=0o700)
        directory_lock = DirectoryLock(directory)
        try:
            yield directory
        finally:
            directory_lock.release()
            remove_tree(directory)

    def left_behind(self) -> list[Path]:
        """Those of loads that were killed. A load that is at work has its own."""
        return [directory for directory in self._all() if is_abandoned(directory, utc_now())]

    def sweep(self, ours: Path | None = None) -> None:
        """Remove what killed loads left. Only for who holds the warehouse: then nobody else's load is alive."""
        for directory in self._all():
            if directory != ours:
                remove_tree(directory)

    def remove_abandoned(self) -> None:
        """Remove what killed loads left, while others are alive."""
        for directory in self.left_behind():
            remove_tree(directory)

    def _all(self) -> list[Path]:
        return sorted(self._parent.glob(f"{self._prefix}*")) if self._parent.is_dir() else []
