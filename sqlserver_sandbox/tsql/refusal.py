"""How the sandbox says no: SQL Server's own number where SQL Server would refuse too, else one number of its own."""

from __future__ import annotations

from sqlserver_sandbox.model import SqlError

NOT_SUPPORTED = 40517
"""Azure SQL's number for 'keyword or statement option is not supported in this version'."""


def refused(what: str, *, line: int = 1) -> SqlError:
    """The error for T-SQL that is real but not on the sandbox's list. `what` names it, and what to do instead if anything."""
    return SqlError(NOT_SUPPORTED, f"not supported by the sandbox: {what}", class_=16, line=line)


def syntax_error(near: str, *, line: int = 1, keyword: bool = False) -> SqlError:
    """102, or 156 when the offending word is a reserved keyword, worded as SQL Server words them."""
    if keyword:
        return SqlError(156, f"Incorrect syntax near the keyword '{near}'.", class_=15, line=line)
    return SqlError(102, f"Incorrect syntax near '{near}'.", class_=15, line=line)
