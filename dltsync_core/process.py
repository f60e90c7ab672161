"""Processes: which one this is, whether another one is gone, and how much memory this one has used.

An identity is written beside what a process holds (a lease, a directory), so that others can tell when its holder has ended. Only
what can be shown counts: process numbers mean nothing on another machine, after a restart, or in another container.
"""

from __future__ import annotations

import os
import platform
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

if sys.platform != "win32":
    import resource

_SEPARATOR = "|"


@dataclass(frozen=True)
class ProcessIdentity:
    """A process as it can be recognised later. `boot` tells one start of the machine from the next, `namespace` one container
    from another, `started` (ticks since boot) one process from a later one with its number; each is empty where the system does
    not say. `serial` makes two holders of one process different."""

    machine: str
    boot: str = ""
    namespace: str = ""
    number: str = ""
    started: str = ""
    serial: str = ""

    def __str__(self) -> str:
        """As the ledger stores it."""
        return _SEPARATOR.join((self.machine, self.boot, self.namespace, self.number, self.started, self.serial))

    @property
    def for_people(self) -> str:
        """Which process on which machine."""
        return f"process {self.number or '?'} on {self.machine}"

    @property
    def is_on_this_machine(self) -> bool:
        """Whether it ran on this machine, in this or in an earlier boot. False where the system tells no boots apart."""
        return self.machine == platform.node() and bool(_boot_id())

    @property
    def ended_with_a_restart(self) -> bool:
        """Whether the machine was started again since."""
        return self.is_on_this_machine and self.boot != _boot_id()

    @property
    def is_gone(self) -> bool:
        """Whether it ran in this boot, among the processes that we see, and has ended. False whenever that cannot be shown.
        After a restart, too: two machines may have one name, and a lease then expires by itself."""
        if not self.is_on_this_machine or (self.boot, self.namespace) != (_boot_id(), _namespace()):
            return False
        return self.number.isdecimal() and _started(self.number) != self.started


def this_process() -> ProcessIdentity:
    """The identity of this process, with a new serial."""
    number = str(os.getpid())
    return ProcessIdentity(
        platform.node(), _boot_id(), _namespace(), number, _started(number), serial=uuid.uuid4().hex[:8]
    )


def read_identity(text: str) -> ProcessIdentity:
    """The identity that `str` wrote. Of any other text one that is never gone."""
    parts = text.split(_SEPARATOR)
    return ProcessIdentity(*parts) if len(parts) == 6 else ProcessIdentity(machine=parts[0])


def identity_from(facts: Mapping[str, object]) -> ProcessIdentity:
    """The identity of which only machine and boot were written down."""
    return ProcessIdentity(machine=str(facts.get("machine", "")), boot=str(facts.get("boot", "")))


def peak_memory_mb() -> float | None:
    """The largest resident size of this process so far, in megabytes (10^6 bytes); None where the system does not report it."""
    if sys.platform == "win32":
        return None
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6  # bytes on macOS, kibibytes elsewhere


def _boot_id() -> str:
    """What tells this start of the machine from the one before."""
    return _content(Path("/proc/sys/kernel/random/boot_id"))


def _namespace() -> str:
    """Process numbers mean something within one namespace only: containers of one machine may share all else."""
    try:
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115 -- the link names no path
    except OSError:
        return ""


def _started(number: str) -> str:
    """When a process began, in ticks since boot; empty when there is none (or it is a zombie). Numbers of processes are
    used again, starts are not."""
    state_and_more = _content(Path(f"/proc/{number}/stat")).rpartition(")")[2].split()
    return "" if len(state_and_more) < 20 or state_and_more[0] in ("Z", "X") else state_and_more[19]


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
