"""System views about the transactions that are open."""

from __future__ import annotations

from sqlserver_sandbox.engine.sysviews.declaration import Source, View, stored_time

_READ_WRITE = 1


def _of_sessions(source: Source) -> list[tuple[object, ...]]:
    return [(s.session_id, s.transaction_id, True, True) for s in source.facts.sessions() if s.transaction_id]


def _of_databases(source: Source) -> list[tuple[object, ...]]:
    return [
        (s.transaction_id, database_id, stored_time(began), _READ_WRITE)
        for s in source.facts.sessions()
        for database_id, began in s.written
        if s.transaction_id
    ]


VIEWS = {
    "sys.dm_tran_session_transactions": View(
        "session_id int?, transaction_id bigint, is_user_transaction bit, is_local bit", _of_sessions
    ),
    # Only databases that the transaction has written to: the others have a row without a begin time at SQL Server.
    "sys.dm_tran_database_transactions": View(
        "transaction_id bigint, database_id int, database_transaction_begin_time datetime?, database_transaction_type int",
        _of_databases,
    ),
}
