"""Syntax values: what a batch says, before names and types are known."""

from __future__ import annotations

from sqlserver_sandbox.tsql.syntax.queries import *  # noqa: F403
