"""SET options: what is honoured, what may only have the value the sandbox works with."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlserver_sandbox.model import SqlError
from sqlserver_sandbox.tsql.refusal import refused
from sqlserver_sandbox.tsql.syntax import SetOption

MUST_BE_ON = frozenset(
    [
        "ANSI_NULLS",
        "ANSI_PADDING",
        "ANSI_WARNINGS",
        "ANSI_NULL_DFLT_ON",
        "ANSI_DEFAULTS",
        "ARITHABORT",
        "CONCAT_NULL_YIELDS_NULL",
        "QUOTED_IDENTIFIER",
    ]
)
"""OFF would change what statements mean."""
MUST_BE_OFF = frozenset(
    [
        "ANSI_NULL_DFLT_OFF",
        "ARITHIGNORE",
        "CURSOR_CLOSE_ON_COMMIT",
        "NUMERIC_ROUNDABORT",
        "NOEXEC",
        "PARSEONLY",
        "NO_BROWSETABLE",
        "FORCEPLAN",
        "REMOTE_PROC_TRANSACTIONS",
    ]
)
_BITS = {"implicit_transactions": 2, "nocount": 512, "xact_abort": 16384}
_BASE_BITS = 8 + 16 + 32 + 64 + 256 + 1024 + 4096
"""ANSI_WARNINGS, ANSI_PADDING, ANSI_NULLS, ARITHABORT, QUOTED_IDENTIFIER, ANSI_NULL_DFLT_ON, CONCAT_NULL_YIELDS_NULL."""


@dataclass(frozen=True)
class Options:
    """A session's options as they are after login."""

    nocount: bool = False
    xact_abort: bool = False
    implicit_transactions: bool = False
    fmtonly: bool = False

    def bits(self) -> int:
        """@@OPTIONS."""
        return _BASE_BITS + sum(bit for name, bit in _BITS.items() if getattr(self, name))

    def with_setting(self, node: SetOption) -> Options:
        """The options after SET. Raises the refusal for a value that would change what statements mean."""
        name, value = node.option, node.value.upper()
        if name in MUST_BE_ON or name in MUST_BE_OFF:
            if (value == "ON") != (name in MUST_BE_ON):
                raise refused(f"SET {name} {value}", line=node.line)
            return self
        field = name.lower()
        if field in ("nocount", "xact_abort", "implicit_transactions", "fmtonly"):
            return replace(self, **{field: value == "ON"})
        return self._check_fixed(node, name, value)

    def _check_fixed(self, node: SetOption, name: str, value: str) -> Options:
        allowed = {
            "DATEFORMAT": ("MDY",),
            "DATEFIRST": ("7",),
            "LANGUAGE": ("US_ENGLISH", "ENGLISH"),
            "ROWCOUNT": ("0",),
            "TEXTSIZE": ("2147483647", "-1", "0"),
            "DEADLOCK_PRIORITY": ("NORMAL", "0"),
            "QUERY_GOVERNOR_COST_LIMIT": ("0",),
        }
        if name not in allowed or value not in allowed[name]:
            raise refused(f"SET {name} {node.value}", line=node.line)
        return self


def lock_timeout(node: SetOption) -> int:
    """Milliseconds; -1 waits for ever."""
    value = int(node.value)
    if value < -1:
        raise SqlError(1002, f"Line {node.line}: Specified scale {value} is invalid.", class_=15)
    return value
