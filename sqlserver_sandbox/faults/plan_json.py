"""A plan as JSON: {"seed": 7, "faults": [{"do": "drop", "when": "after", "kind": "commit"}, …]}.

`do` names the action; the action's own parts and those of `Where` stand beside it. What is misspelt is refused: a fault that
is never met would make a test that proves nothing.
"""

from __future__ import annotations

import json
import re
from dataclasses import MISSING, fields
from typing import Any

from sqlserver_sandbox.faults.messages import SEVERITIES_AND_TEXTS
from sqlserver_sandbox.faults.plan import (
    KINDS,
    Action,
    BreakTls,
    Drip,
    Drop,
    Fail,
    Failover,
    Fault,
    Miscount,
    Plan,
    RefuseLogin,
    ResetAtAccept,
    Stall,
    Tear,
    Where,
)

ACTIONS: dict[str, type[Action]] = {
    "reset_at_accept": ResetAtAccept,
    "break_tls": BreakTls,
    "refuse_login": RefuseLogin,
    "fail": Fail,
    "drop": Drop,
    "stall": Stall,
    "drip": Drip,
    "failover": Failover,
    "tear": Tear,
    "miscount": Miscount,
}
NAMES = {made: name for name, made in ACTIONS.items()}
_WORDS: dict[str, dict[type, tuple[str, ...]]] = {
    "how": {Drop: ("reset", "close"), BreakTls: ("garbage", "close")},
    "when": {Drop: ("before", "after")},
}
_SHAPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "int | None": (int, type(None)),
    "float": (int, float),
    "float | None": (int, float, type(None)),
    "bool": (bool,),
    "str": (str,),
    "str | None": (str, type(None)),
}


class PlanError(ValueError):
    """The plan cannot be carried out as it stands; the text says which part and what is possible."""


def parse_plan(text: str) -> Plan:
    """The plan a JSON text describes. Raises PlanError."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise PlanError(f"the plan is not JSON: {error}") from error
    if not isinstance(data, dict) or not set(data) <= {"seed", "faults"}:
        raise PlanError('a plan is {"seed": number, "faults": [...]}')
    seed, found = data.get("seed", 0), data.get("faults", [])
    if type(seed) is not int or not isinstance(found, list):
        raise PlanError("seed is a whole number, faults is a list")
    return Plan(tuple(_fault(entry, f"fault {place}") for place, entry in enumerate(found, 1)), seed)


def render_plan(plan: Plan) -> str:
    """The JSON text of a plan, without what has its default."""
    found = []
    for fault in plan.faults:
        entry: dict[str, Any] = {"do": NAMES[type(fault.do)]}
        for value in (fault.do, fault.where):
            entry.update({f.name: getattr(value, f.name) for f in fields(value) if _differs(value, f)})
        found.append(entry)
    return json.dumps({"seed": plan.seed, "faults": found})


def _differs(value: Any, field: Any) -> bool:
    return field.default is MISSING or getattr(value, field.name) != field.default


def _fault(entry: Any, place: str) -> Fault:
    if not isinstance(entry, dict):
        raise PlanError(f"{place} is not an object")
    name = entry.get("do")
    if name not in ACTIONS:
        raise PlanError(f"{place}: do is {name!r}; there are {', '.join(ACTIONS)}")
    made = ACTIONS[name]
    own = {f.name for f in fields(made)}
    general = {f.name for f in fields(Where)}
    unknown = set(entry) - own - general - {"do"}
    if unknown:
        raise PlanError(f"{place}: {name} has no {sorted(unknown)[0]!r}; it has {', '.join(sorted(own | general))}")
    action = _value(made, {k: v for k, v in entry.items() if k in own}, place)
    where = _value(Where, {k: v for k, v in entry.items() if k in general}, place)
    _check_action(action, place)
    _check_where(where, place)
    return Fault(action, where)


def _value(made: type, given: dict[str, Any], place: str) -> Any:
    for field in fields(made):
        if field.name not in given:
            if field.default is MISSING:
                raise PlanError(f"{place} needs {field.name!r}")
            continue
        value, shape = given[field.name], str(field.type)
        if not isinstance(value, _SHAPES[shape]) or (isinstance(value, bool) and shape != "bool"):
            raise PlanError(f"{place}: {field.name} is {value!r}; it must be {shape}")
        if isinstance(value, (int, float)) and value < 0 and made not in (Tear, Miscount):
            raise PlanError(f"{place}: {field.name} is {value!r}; it cannot be negative")
        possible = _WORDS.get(field.name, {}).get(made)
        if possible and value not in possible:
            raise PlanError(f"{place}: {field.name} is {value!r}; there are {', '.join(possible)}")
    return made(**given)


def _check_action(action: Action, place: str) -> None:
    if isinstance(action, (Drop, Stall)) and action.rows is not None and action.bytes is not None:
        raise PlanError(f"{place}: rows or bytes, not both")
    if isinstance(action, Drip) and action.bytes_per_second == 0:
        raise PlanError(f"{place}: bytes_per_second is 0; for no bytes at all there is stall")
    if isinstance(action, (Fail, RefuseLogin)) and action.message is None and action.number not in SEVERITIES_AND_TEXTS:
        known = ", ".join(map(str, SEVERITIES_AND_TEXTS))
        raise PlanError(f"{place}: {action.number} needs a message; those with a text of their own are {known}")


def _check_where(where: Where, place: str) -> None:
    if where.kind is not None and where.kind not in KINDS:
        raise PlanError(f"{place}: kind is {where.kind!r}; there are {', '.join(sorted(KINDS))}")
    if where.probability > 1:
        raise PlanError(f"{place}: probability is {where.probability}; it lies between 0 and 1")
    for name in ("application", "table", "pattern"):
        try:
            re.compile(getattr(where, name) or "")
        except re.error as error:
            raise PlanError(f"{place}: {name} is not a regular expression: {error}") from error
