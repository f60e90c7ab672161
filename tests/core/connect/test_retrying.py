"""A connection is tried again only when that can help."""

from __future__ import annotations

import pytest

from dltsync_core.connect import retrying
from dltsync_core.errors import LoginFailed, ServerUnreachable


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "FIRST_WAIT_SECONDS", 0.0)
    monkeypatch.setattr(retrying, "LONGEST_WAIT_SECONDS", 0.0)


def test_what_passes_is_tried_again() -> None:
    answers: list[ServerUnreachable | str] = [ServerUnreachable("no"), ServerUnreachable("no"), "connected"]

    def connect() -> str:
        answer = answers.pop(0)
        if isinstance(answer, ServerUnreachable):
            raise answer
        return answer

    assert retrying.connect_with_retry(connect, 3) == "connected"


def test_the_last_error_is_the_one_to_see() -> None:
    tries: list[int] = []

    def connect() -> str:
        tries.append(1)
        raise ServerUnreachable(f"try {len(tries)}")

    with pytest.raises(ServerUnreachable, match="try 2"):
        retrying.connect_with_retry(connect, 2)
    assert len(tries) == 2


def test_a_wrong_password_is_not_tried_again() -> None:
    """A second attempt would only bring the account nearer to being locked."""
    tries: list[int] = []

    def connect() -> str:
        tries.append(1)
        raise LoginFailed("no")

    with pytest.raises(LoginFailed):
        retrying.connect_with_retry(connect, 5)
    assert len(tries) == 1
