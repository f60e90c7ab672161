"""A file that is hashed while it is written."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any


class HashedFile(io.RawIOBase):
    """A file whose SHA-256 is computed from what is handed to it, so that what the disk made of it can be compared."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("r+b", buffering=0)
        self._digest = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        rest = memoryview(data).cast("B")
        self._digest.update(rest)
        while rest:  # an unbuffered write may take less than it was given
            rest = rest[self._file.write(rest) or 0 :]
        return memoryview(data).nbytes

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()
        super().close()

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()
