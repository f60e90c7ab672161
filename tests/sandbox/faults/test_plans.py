"""A plan as JSON comes back as it was; one that could never be met is refused with what is possible."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqlserver_sandbox.__main__ import main
from sqlserver_sandbox.faults import Plan, PlanError, parse_plan, render_plan
from sqlserver_sandbox.faults.plan import KINDS, Drip, Drop, Fail, Fault, Stall, Tear, Where
from sqlserver_sandbox.faults.plan_json import ACTIONS

PAGE = Path(__file__).parents[3] / "docs" / "sandbox.md"

actions = st.one_of(
    st.builds(Fail, st.sampled_from([1205, 40501]), st.none() | st.text(), st.none() | st.integers(0, 25)),
    st.builds(Drop, st.sampled_from(["before", "after"]), st.none() | st.integers(0, 9)),
    st.builds(Stall, st.none() | st.floats(0, 9), st.booleans()),
    st.builds(Drip, st.integers(1, 9)),
    st.builds(Tear, st.integers(-9, 9)),
)
wheres = st.builds(
    Where,
    connection=st.none() | st.integers(1, 9),
    kind=st.none() | st.sampled_from(sorted(KINDS)),
    skip=st.integers(0, 9),
    times=st.none() | st.integers(0, 9),
    probability=st.floats(0, 1),
    per_connection=st.booleans(),
)


@given(st.builds(Plan, st.lists(st.builds(Fault, actions, wheres), max_size=4).map(tuple), st.integers(0)))
def test_a_plan_survives_its_json(plan: Plan) -> None:
    assert parse_plan(render_plan(plan)) == plan


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[]", "a plan is"),
        ('{"fault": []}', "a plan is"),
        ('{"faults": [{"do": "dorp"}]}', "do is 'dorp'; there are"),
        ('{"faults": [{"do": "fail"}]}', "needs 'number'"),
        ('{"faults": [{"do": "fail", "number": 99}]}', "99 needs a message"),
        ('{"faults": [{"do": "fail", "number": "1205"}]}', "it must be int"),
        ('{"faults": [{"do": "drop", "kind": "selects"}]}', "kind is 'selects'; there are begin"),
        ('{"faults": [{"do": "drop", "wen": "after"}]}', "drop has no 'wen'"),
        ('{"faults": [{"do": "drop", "when": "between"}]}', "there are before, after"),
        ('{"faults": [{"do": "drop", "rows": 1, "bytes": 1}]}', "not both"),
        ('{"faults": [{"do": "drop", "rows": -1}]}', "cannot be negative"),
        ('{"faults": [{"do": "drop", "pattern": "("}]}', "not a regular expression"),
        ('{"faults": [{"do": "drop", "probability": 2}]}', "between 0 and 1"),
        ('{"faults": [{"do": "drip", "bytes_per_second": 0}]}', "there is stall"),
    ],
)
def test_what_could_never_be_met_is_refused(text: str, said: str) -> None:
    with pytest.raises(PlanError, match=said):
        parse_plan(text)


def test_a_wrong_file_stops_the_sandbox_before_it_serves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "faults.json"
    file.write_text('{"faults": [{"do": "explode"}]}')
    assert main(["--data", str(tmp_path / "data"), "--port", "0", "--faults", str(file)]) == 2
    assert "do is 'explode'" in capsys.readouterr().err


def test_the_page_lists_every_action_and_kind() -> None:
    text = PAGE.read_text(encoding="utf-8")
    section = text[text.index("## Faults") : text.index("## Canned answers")]
    for name in (*ACTIONS, *KINDS):
        assert f"`{name}`" in section
