"""TDS 7.4 on loopback: framing, login, tokens, types. Knows bytes, never SQL.

Facts come from Microsoft's published protocol ([MS-TDS], sections named in the files) and from what the drivers do.

| served | refused, with an error that says so |
| --- | --- |
| PRELOGIN; TLS 1.2 for the whole connection or the login only | TDS 8 (Encrypt=strict), MARS |
| LOGIN7 with user and password, or an access token; UTF8_SUPPORT | Windows logins, changed passwords, attached files, languages |
| SQL batches; attention at any time; connection reset | unknown packet types |
| sp_executesql, sp_prepare, sp_prepexec, sp_execute, sp_unprepare | output parameters, DEFAULT, Always Encrypted, NoExec |
| several calls in one message, as fast_executemany sends them | |
| sp_describe_undeclared_parameters, sp_reset_connection; other procedures as the engine has them | sp_cursor…, sp_prepexecrpc |
| begin, commit, rollback of unnamed transactions | savepoints, named and distributed transactions |
| INSERT BULK data; the metadata batch of mssql-python's bulk copy | other types than the table's columns |
| every type of model.py, with the collations of collations.py | sql_variant, CLR types, table-valued parameters, json, vector |
"""
