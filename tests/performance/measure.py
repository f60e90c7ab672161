"""What a piece of work costs a process of its own: processor time and peak memory.

A side of a benchmark is a function `run(**arguments)` in a module of `tests.performance.sides`, which returns what it loaded. It
runs in a new process, so that no side pays for, or profits from, what another one left in memory. Imports are not counted:
every side needs them once, however many rows follow. Processor time is that of all threads of the process, in user and
system mode; the server is another process.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dltsync_core.process import peak_memory_mb

WITHIN_SECONDS = 3_600
"""A side that takes longer is stopped."""
_RESULT = "benchmark result: "
_CPU, _PEAK = "DLTSYNC_BENCH_CPU", "DLTSYNC_BENCH_PEAK"


class NotInstalled(Exception):
    """A side needs a package that is not there. The message names it."""


@dataclass(frozen=True)
class Cost:
    """Of one run of a side: seconds of processor time, the peak of resident memory in MB, that before the work began, and what
    the side returned."""

    cpu: float
    peak_mb: float
    start_mb: float
    result: dict[str, Any]


def cost_of(side: str, arguments: Mapping[str, Any]) -> Cost:
    """Run the side in a process of its own. Raises NotInstalled, and RuntimeError with what a failing side wrote."""
    child = subprocess.run(
        [sys.executable, "-m", "tests.performance.measure", side],
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
        timeout=WITHIN_SECONDS,
        check=False,
    )
    lines = [line for line in child.stdout.splitlines() if line.startswith(_RESULT)]
    if not lines:
        raise RuntimeError(f"the side {side} failed:\n{child.stdout}{child.stderr}")
    found = json.loads(lines[-1].removeprefix(_RESULT))
    if "missing" in found:
        raise NotInstalled(found["missing"])
    return Cost(**found)


def best_of(rounds: int, side: str, arguments: Mapping[str, Any]) -> Cost:
    """The cheapest of some runs: what else the machine did can only add to the processor time."""
    return min((cost_of(side, arguments) for _ in range(rounds)), key=lambda cost: cost.cpu)


def _cpu_and_peak() -> tuple[float, float]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    # Its ru_maxrss would be at least the size of the process that started this one: Linux keeps it across fork and exec.
    return used.ru_utime + used.ru_stime, peak_memory_mb() or 0.0


def start_measuring() -> None:
    """In the process of a side: what was used so far does not count. A side may call it after its preparations."""
    cpu, peak = _cpu_and_peak()
    # The module exists twice in this process: as the one that runs, and as the one that sides import.
    os.environ[_CPU], os.environ[_PEAK] = str(cpu), str(peak)


def main() -> None:
    """In the process of the side: the arguments come from standard input, the cost goes to standard output."""
    arguments = json.loads(sys.stdin.read())
    try:
        module = importlib.import_module(f"tests.performance.sides.{sys.argv[1]}")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith(("tests", "dltsync")):
            raise
        print(_RESULT + json.dumps({"missing": f"{error.name} is not installed"}))
        return
    start_measuring()
    result = module.run(**arguments)
    cpu, peak = _cpu_and_peak()
    before, start = float(os.environ[_CPU]), float(os.environ[_PEAK])
    print("\n" + _RESULT + json.dumps({"cpu": cpu - before, "peak_mb": peak, "start_mb": start, "result": result}))


if __name__ == "__main__":
    main()
