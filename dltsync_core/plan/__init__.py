"""Decisions as values: what a run would do, printable before anything is done."""
