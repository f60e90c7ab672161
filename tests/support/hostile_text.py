"""Strings that mean something to a shell, a glob, SQL, YAML, a connection string, a terminal, HTML or Markdown."""

from __future__ import annotations

HOSTILE = [
    'o\'clock "quoted"',
    "a]b[c",
    "[/red][bold]markup",
    "{braces} 100%s %(x)s ${HOME} {0}",
    "x; DROP TABLE y --",
    "line\nbreak\ttab",
    "two\r\nlines\x1b[31m\x07",
    "😀 ñandú 日本",
    "../../etc/passwd",
    "..",
    "C:\\temp\\*?",
    "<script>alert(1)</script>",
    "[link](javascript:alert(1)) `code` | cell |",
    "key: [yaml, - & *x #]",
    "-rf /",
    "\u202egnp.exe",
    "n" * 128,
    "😀" * 64,
    "CON",
]
"""As table, schema, column, character key and value."""

PASSWORDS = ["p;w}d", "{p}", "a=b;PWD=x", "'\"", "p%41€", " lead and trail ", ";{}'", "back\\slash}}", "ñ😀 \tx"]
"""Wrong ones, to be refused as wrong, and to be seen nowhere."""
