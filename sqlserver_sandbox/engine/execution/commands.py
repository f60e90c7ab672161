"""The numbers that a DONE token has for what was done: CurCmd."""

from __future__ import annotations

SET = 0xBE
SELECT = 0xC1
INSERT = 0xC3
DELETE = 0xC4
UPDATE = 0xC5
DDL = 0xC6
"""CREATE, ALTER, DROP and TRUNCATE."""
TRANSACTION = 0xD4
