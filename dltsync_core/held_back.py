"""Committed rows at or above MIN_ACTIVE_ROWVERSION(), and the transactions that hold the watermark back below them, as far as
the login may see them."""

from __future__ import annotations

from dataclasses import dataclass

from dltsync_core.display import number_of, quoted


@dataclass(frozen=True)
class OpenTransaction:
    """A transaction that has written to the database and is still open. `since` is the server's local time as text, `seconds` how
    long ago that was; `session` is None for a transaction without a session (a distributed one whose client is gone)."""

    session: int | None
    login: str
    program: str
    host: str
    since: str
    seconds: int

    @property
    def described(self) -> str:
        """Its session, and since when it is open."""
        who = (
            "a transaction without a session"
            if self.session is None
            else f"session {self.session} (login {quoted(self.login)}, program {quoted(self.program)}, "
            f"host {quoted(self.host)})"
        )
        return f"{who}, open since {self.since} server time ({number_of(self.seconds, 'second')})"


@dataclass(frozen=True)
class HeldBack:
    """`rows` of a table are committed and lie at or above `ceiling`, the lowest rowversion that an open transaction holds.

    `transactions` are those that have written to the database longest, oldest first; `refused` says why they could not be looked
    up, empty when they could.
    """

    rows: int
    ceiling: str
    transactions: tuple[OpenTransaction, ...] = ()
    refused: str = ""

    @property
    def sentence(self) -> str:
        """The number of rows, the transaction, and since when."""
        return (
            f"{number_of(self.rows, 'committed row lies', 'committed rows lie')} at or above {self.ceiling}, the "
            "lowest rowversion of an open transaction: the "
            f"watermark is held back below, and they are read once more when that transaction has ended; {self._by_what()}"
        )

    def _by_what(self) -> str:
        if self.refused:
            return f"this login may not see which transaction that is: {self.refused}"
        if not self.transactions:
            return "it has ended since"
        oldest, *others = self.transactions
        more = f" (the oldest of {len(self.transactions)} shown)" if others else ""
        return f"the longest open one{more}: {oldest.described}"
