"""Waiting is a decision made of numbers, and one loop that sleeps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.errors import WarehouseBusy
from dltsync_core.waiting import Again, Blocked, GiveUp, Wait, WaitPolicy, decide_wait

SECONDS = st.floats(0, 1000)


@given(limit=SECONDS, pause=st.floats(0, 10), waited=SECONDS, noticed=st.none() | SECONDS)
def test_a_wait_ends_with_its_time_and_never_sleeps_past_it(
    limit: float, pause: float, waited: float, noticed: float | None
) -> None:
    decision = decide_wait(WaitPolicy(limit, pause, 10), waited=waited, noticed=noticed)
    if waited >= limit:
        assert isinstance(decision, GiveUp)
    else:
        assert isinstance(decision, Again)
        assert decision.after <= max(limit - waited, 0.01)
        assert decision.notice is (noticed is None or waited - noticed >= 10)


class Clock:
    """A clock that moves by sleeping only."""

    now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_the_first_message_comes_at_once_and_the_time_is_shared_by_all_that_is_waited_for() -> None:
    clock, said, tries = Clock(), list[str](), list[float]()
    wait = Wait(35, on_wait=said.append, sleep=clock.sleep, now=lambda: clock.now)

    def busy_for(seconds: float) -> int:
        tries.append(clock.now)
        if clock.now < seconds:
            raise Blocked("the file", "another process has it open")
        return len(tries)

    def give_up(blocked: Blocked) -> WarehouseBusy:
        return WarehouseBusy(f"waited too long for {blocked}")

    assert wait.until(lambda: busy_for(20), Blocked, pause=5, give_up=give_up) == 5
    with pytest.raises(WarehouseBusy, match="too long for the file: another process has it open"):
        wait.until(lambda: busy_for(100), Blocked, pause=5, give_up=give_up)
    assert clock.now == 35
    assert said == [
        f"waiting for the file: another process has it open ({seconds} of at most 35 seconds)"
        for seconds in (0, 10, 20, 30)
    ]
