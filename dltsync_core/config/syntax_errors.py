"""Errors for a config file that cannot be parsed: they show the line with its values hidden. Pure.

A parser's own message quotes the file, and the file may hold a password. So the line is shown with its fields and the characters
that give YAML and TOML their structure, while values become `…`; after a field that holds a secret everything does.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import yaml

from dltsync_core.config.pipeline import PipelineConfig
from dltsync_core.errors import ConfigError
from dltsync_core.redaction import SECRET_FIELD

_QUOTED = re.compile(r"'(?P<single>[^']*)'|\"[^\"]*\"")
_TOKENS = re.compile(r"<[a-z ]+>|\\[tnr]|[?,:\-\[\]{}]{1,2}|.?")
"""Quotes that a message of PyYAML may contain: its own token names, and characters of structure."""
_AT = re.compile(r"\(at line (\d+), column (\d+)\)")
_WORD = re.compile(r"[^\s{}\[\],:=|>&*!#'\"]+")
_WORDS = re.compile(rf"{_WORD.pattern}|.")
_BEGINS = re.compile(r"\s*((- *)*[\"']?\w+[\"']?\s*[:=]|(- *)+|[\[\]{},]+|\w+\s*$)")
_PLAIN_WORD = re.compile(r"true|false|yes|no|null|~|-|\d{1,6}", re.IGNORECASE)
_HIDDEN = "…"

_MEANINGS = (
    (re.compile(r"character '\\t'|found a tab"), "a tab; YAML is indented with spaces"),
    (
        re.compile(r"mapping values are not allowed"),
        "a second `: ` where one value is expected; put the value in quotes, or check the indentation",
    ),
    (re.compile(r"expected <block end>"), "the indentation of this line does not fit the lines above it"),
    (re.compile(r"expected the node content"), "a value, or the bracket that closes, is missing"),
    (re.compile(r"could not find expected ':'"), "no `: ` after the name of a field"),
    (re.compile(r"character '[%@`]'"), "a value that begins with this character; put it in quotes"),
)
_REMEDY = "correct the file there; a value with special characters, such as a password, goes in quotes"
_OPENED = {
    "while parsing a flow mapping": "a `{` that is not closed, or a comma that is missing",
    "while parsing a flow sequence": "a `[` that is not closed, or a comma that is missing",
    "while scanning a quoted scalar": "a quote that is not closed",
}


def explain_yaml(file: str, text: str, error: yaml.MarkedYAMLError) -> ConfigError:
    """Line, column, problem, and the line itself; for a bracket or quote that is not closed, the line that opens it."""
    opened = _OPENED.get(error.context or "") if error.context_mark is not None else None
    mark = error.context_mark if opened else (error.problem_mark or error.context_mark)
    words = _without_values(error.problem or "not valid YAML")
    if mark is None:
        return ConfigError(f"{file}: {words}", remedy=_REMEDY)
    meaning = opened or next((meaning for sign, meaning in _MEANINGS if sign.search(words)), None)
    noticed = error.problem_mark
    if opened and noticed is not None and noticed.line != mark.line:
        words += f", noticed in line {noticed.line + 1}"
    problem = f"{meaning} ({words})" if meaning else words
    return ConfigError(
        f"{file}: line {mark.line + 1}, column {mark.column + 1}: {problem}\n{shown_line(text, mark.line, mark.column)}",
        remedy=_REMEDY,
    )


def explain_toml(file: str, text: str, message: str) -> ConfigError:
    """The parser's message and the line that it is about."""
    words = _without_values(message)
    found = _AT.search(message)
    line = shown_line(text, int(found[1]) - 1, int(found[2]) - 1) if found else ""
    return ConfigError(f"{file}: {words}\n{line}" if line else f"{file}: {words}", remedy=_REMEDY)


def shown_line(text: str, line: int, column: int) -> str:
    """A line of the file with a mark below the column (both from 0), every value in it hidden."""
    lines = text.splitlines()
    if not 0 <= line < len(lines):
        return f"  {line + 1} | (the end of the file)"
    number = f"  {line + 1} | "
    pieces = _pieces(lines[line])
    before = at = 0
    for original, shown in pieces:
        if at >= column:
            break
        before += len(shown) if at + len(original) <= column else min(column - at, len(shown) - 1)
        at += len(original)
    whole = "".join(shown for _, shown in pieces)
    return f"{number}{whole}\n{' ' * (len(number) - 2)}| {' ' * before}^"


def _pieces(line: str) -> list[tuple[str, str]]:
    """The line in pieces, with the text shown for each: fields and structure as they are, values hidden. After a field that
    holds a secret, and in a line that begins with no field (it may continue a value from above), everything is hidden. Tabs are
    visible."""
    secret = SECRET_FIELD.search(line)
    if secret is not None:
        head, tail = line[: secret.end()], line[secret.end() :]
    elif _BEGINS.match(line):
        head, tail = line, ""
    else:
        head, tail = _indentation(line), line.strip()
    blank = _indentation(tail)
    pieces = [(word[0], _shown(word[0])) for word in _WORDS.finditer(head + blank)]
    rest = tail[len(blank) :]
    return [*pieces, (rest, _HIDDEN)] if rest else pieces


def _shown(word: str) -> str:
    if not _WORD.fullmatch(word) or word.casefold() in field_names() or _PLAIN_WORD.fullmatch(word):
        return word.replace("\t", "→")
    return _HIDDEN


def _indentation(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _without_values(message: str) -> str:
    """A parser's message without its quotes from the file."""

    def quoted(found: re.Match[str]) -> str:
        inner = found["single"]
        return found[0] if inner is not None and _TOKENS.fullmatch(inner) else _HIDDEN

    return _QUOTED.sub(quoted, message)


@cache
def field_names() -> frozenset[str]:
    """The name of every config field, case-folded."""
    schema: dict[str, Any] = PipelineConfig.model_json_schema()
    models = [schema, *schema.get("$defs", {}).values()]
    return frozenset(name.casefold() for model in models for name in model.get("properties", {}))
