"""What a conversion gives, value by value, in plain Python: the reference the fast DuckDB texts are tested against.

A value is in its type's storage form (`model`): bool, int, Decimal, float, date, ticks as int, str, bytes; a datetimeoffset is
a pair (UTC ticks, offset in minutes). NULL never gets here.
"""

from __future__ import annotations

from sqlserver_sandbox.tsql.values.convert import convert_value

__all__ = ["convert_value"]
