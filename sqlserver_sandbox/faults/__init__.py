"""Misbehaviour on demand: what a server and a network do on bad days, exactly when a test or an operator asks for it.

A `Plan` says what goes wrong, where and how often; an `Injector` carries it out for one server. Nothing of this is in the
way of a server that was started without it.
"""

from sqlserver_sandbox.faults.injector import Injector
from sqlserver_sandbox.faults.plan import Plan
from sqlserver_sandbox.faults.plan_json import PlanError, parse_plan, render_plan

__all__ = ["Injector", "Plan", "PlanError", "parse_plan", "render_plan"]
