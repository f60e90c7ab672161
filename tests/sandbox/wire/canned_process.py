"""A server with every case of type_cases under its name, in a process of its own, until its input ends. Prints its port."""

from __future__ import annotations

import sys

from sqlserver_sandbox.server import Server
from tests.sandbox.wire.canned import CannedEngine
from tests.sandbox.wire.type_cases import CASES, tables

if __name__ == "__main__":
    engine = CannedEngine()
    for case in CASES:
        engine.answer_rows(str(case), *tables(case))
    server = Server(engine)
    print(server.port, flush=True)
    sys.stdin.read()
    server.stop()
