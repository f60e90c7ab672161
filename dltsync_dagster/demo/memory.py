"""How much memory this process needed for a part of its work (Linux)."""

from __future__ import annotations

from pathlib import Path

_STATUS = Path("/proc/self/status")
_PEAK_RESET = Path("/proc/self/clear_refs")


def resident_mb() -> float | None:
    """Memory in use now, None where the system does not tell."""
    return _read("VmRSS")


def forget_peak() -> bool:
    """Let the peak start anew from what is in use now. False where that is not possible."""
    try:
        _PEAK_RESET.write_text("5")
    except OSError:
        return False
    return True


def peak_mb() -> float | None:
    """The most that was in use since `forget_peak`, None where the system does not tell."""
    return _read("VmHWM")


def _read(field: str) -> float | None:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    found = next((line.split()[1] for line in lines if line.startswith(f"{field}:")), None)
    return int(found) / 1024 if found is not None else None
