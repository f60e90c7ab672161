"""Which errors of a ledger's server pass by themselves."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from dltsync_core.connect.error_numbers import RetryKind
from dltsync_core.state.transient_errors import SENTENCES, how_it_passes


class Refused(Exception):
    """As a driver of PostgreSQL raises it."""

    def __init__(self, text: str, sqlstate: str | None = None) -> None:
        super().__init__(text)
        self.sqlstate = sqlstate


def told(text: str, state: str | None = None, *, broken: bool = False) -> sa.exc.DBAPIError:
    return sa.exc.OperationalError("", {}, Refused(text, state), connection_invalidated=broken)


@pytest.mark.parametrize(
    ("error", "recourse"),
    [
        (told("terminating connection due to administrator command", "57P01"), RetryKind.NEW_CONNECTION),
        (told("could not serialize access due to concurrent update", "40001"), RetryKind.NEW_TRANSACTION),
        (told("deadlock detected", "40P01"), RetryKind.NEW_TRANSACTION),
        (told("canceling statement due to lock timeout", "55P03"), RetryKind.SAME_CONNECTION),
        (told("sorry, too many clients already", "53300"), RetryKind.THROTTLED),
        (told("FATAL:  sorry, too many clients already"), RetryKind.THROTTLED),
        (told("FATAL:  the database system is starting up"), RetryKind.LOGIN),
        (told('connection to server at "h", port 1 failed: Connection refused'), RetryKind.NEW_CONNECTION),
        (told("connection timeout expired"), RetryKind.NEW_CONNECTION),
        (told("no sentence of ours", broken=True), RetryKind.NEW_CONNECTION),
        (told("could not extend file: No space left on device", "53100"), None),
        (told("permission denied for table dltsync_loads", "42501"), None),
        (told('relation "dltsync_committed_units" does not exist', "42P01"), None),
        (told("duplicate key value violates unique constraint", "23505"), None),
        (told('FATAL:  password authentication failed for user "bob"'), None),
        (told("FATAL:  Passwort-Authentifizierung für Benutzer »bob« fehlgeschlagen"), None),
        (told('FATAL:  no pg_hba.conf entry for host "h", user "bob", database "d", no encryption'), None),
        (told("failed to resolve host 'nosuchhost': [Errno -2] Name or service not known"), None),
        (sa.exc.TimeoutError("QueuePool limit of size 5 overflow 10 reached"), RetryKind.SAME_CONNECTION),
    ],
    ids=str,
)
def test_what_passes_and_what_stays(error: BaseException, recourse: RetryKind | None) -> None:
    assert how_it_passes(error) is recourse


def test_the_sentences_of_one_kind_are_not_another_kind_s() -> None:
    assert not SENTENCES[RetryKind.NEW_CONNECTION].search("FATAL:  the database system is starting up")
    assert not SENTENCES[RetryKind.LOGIN].search("Connection refused")
