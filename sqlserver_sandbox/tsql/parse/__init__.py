"""T-SQL text to syntax values. A statement, clause or option without a rule here is a syntax error or a refusal."""

from __future__ import annotations

from sqlserver_sandbox.tsql.parse.batch import parse_batch

__all__ = ["parse_batch"]
