"""What a forked process does to be `dltsync`."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import struct
import sys
import termios
import threading
from collections.abc import Mapping
from typing import Any

from dltsync_core import checkpoints
from dltsync_core.cli import main


def call(payload: Mapping[str, Any]) -> None:
    """`dltsync` with `arguments`. Optional: `file_limit` (bytes no file may grow beyond: a full disk), `stop` (a checkpoint) with
    `signal`, which the process then gets."""
    limit = payload.get("file_limit")
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    reached: list[str] = []

    def handler(step: str) -> None:
        reached.append(step)
        if step == payload.get("stop") and reached.count(step) == 1:
            os.kill(os.getpid(), getattr(signal, payload["signal"]))

    with checkpoints.watched(handler):
        main(payload["arguments"])


def call_on_a_terminal(payload: Mapping[str, Any]) -> None:
    """The same on a terminal of 80 columns. What it shows becomes the stdout of the process. Optional: `typed`, pairs of
    a question and the line that is typed when the terminal shows it."""
    shown = os.dup(1)
    screen, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)  # what is typed in secret is read from the terminal of the session
    for stream in (0, 1, 2):
        os.dup2(terminal, stream)
    os.close(terminal)
    sys.stdin = os.fdopen(0)
    questions = [(question.encode(), f"{answer}\n".encode()) for question, answer in payload.get("typed", ())]

    def copy() -> None:
        seen = b""
        try:
            while found := os.read(screen, 65536):
                os.write(shown, found)
                seen += found
                if questions and questions[0][0] in seen:
                    seen = b""
                    os.write(screen, questions.pop(0)[1])
        except OSError:  # the last writer closed the terminal
            pass

    copying = threading.Thread(target=copy)
    copying.start()
    try:
        call(payload)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        nothing = os.open(os.devnull, os.O_WRONLY)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        copying.join()
