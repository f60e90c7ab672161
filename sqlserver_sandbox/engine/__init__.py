"""The engine: DuckDB behind SQL Server's types, errors, catalogue and sessions."""

from __future__ import annotations

from sqlserver_sandbox.engine.server import DuckDbEngine

__all__ = ["DuckDbEngine"]
