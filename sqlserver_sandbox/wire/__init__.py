"""TDS 7.4 on loopback: framing, login, tokens, types. Knows bytes, never SQL.

Facts come from Microsoft's published protocol ([MS-TDS], sections named in the files) and from what the drivers do.
"""
