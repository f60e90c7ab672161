"""Who holds a lease, and whether that process can be shown to be gone."""

from __future__ import annotations

import os
import platform
import uuid
from pathlib import Path

from dltsync_core.lake.storage.directory_lock import boot_id

_SEPARATOR = "|"


def new_holder() -> str:
    """A name for this process as a holder: machine, boot, process namespace, process, its start, and a random tail."""
    return _SEPARATOR.join(
        (platform.node(), boot_id(), _namespace(), str(os.getpid()), _started(os.getpid()), uuid.uuid4().hex[:8])
    )


def described(holder: str) -> str:
    """For a person: which process on which machine."""
    machine, _, _, process, *_ = [*holder.split(_SEPARATOR), "?", "?", "?", "?"]
    return f"process {process} on {machine}"


def is_gone(holder: str) -> bool:
    """Whether the holder ran on this machine, in this boot and among the processes we see, and is there no more.

    False whenever that cannot be shown: another machine, another container, a system without /proc. Its lease then expires.
    """
    parts = holder.split(_SEPARATOR)
    if len(parts) != 6 or not boot_id() or parts[:3] != [platform.node(), boot_id(), _namespace()]:
        return False
    return _started(int(parts[3])) != parts[4]


def _namespace() -> str:
    """Process numbers mean something within one namespace only: containers of one machine may share all else."""
    try:
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115 -- the link names no path
    except OSError:
        return ""


def _started(process: int) -> str:
    """When a process began, in ticks since boot; empty when there is none (or it is a zombie). Numbers of processes come
    again, starts do not."""
    content = _read(Path(f"/proc/{process}/stat"))
    state_and_more = content.rpartition(")")[2].split()
    return "" if len(state_and_more) < 20 or state_and_more[0] in ("Z", "X") else state_and_more[19]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
