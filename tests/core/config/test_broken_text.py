"""A file that cannot be parsed: the line to blame is shown with its structure, and no value of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dltsync_core.config import load_config
from dltsync_core.config.syntax_errors import shown_line
from dltsync_core.errors import ConfigError

BROKEN: dict[str, tuple[str, list[str]]] = {
    "an open brace": (
        "database: {server: sekret, port: 1433\nstatic_tables: []\n",
        [
            "line 1, column 11: a `{` that is not closed, or a comma that is missing",
            "expected ',' or '}', but got ':', noticed in line 2",
            "  1 | database: {server: …, port: 1433\n    |           ^",
        ],
    ),
    "an open bracket at the end": (
        "static_tables: [\n",
        ["the bracket that closes, is missing", "'<stream end>'", "(the end of the file)"],
    ),
    "the wrong bracket": (
        "static_tables: [{table_name: sekret, quality: [{column: sekret, unique: true]}]\n",
        ["but got ']'", "[{table_name: …, quality: [{column: …, unique: true]}]"],
    ),
    "a tab": (
        "database:\n\tserver: sekret\n",
        ["line 2, column 1: a tab; YAML is indented with spaces", "  2 | →server: …"],
    ),
    "an indentation that does not fit": (
        "database:\n    server: sekret\n  port: 1\n",
        ["line 3, column 3: the indentation of this line does not fit", "  3 |   port: 1\n    |   ^"],
    ),
    "an indentation too deep": (
        "database:\n  server: sekret\n   port: 1\n",
        ["line 3", "  3 |    port: 1\n    |        ^"],
    ),
    "a second colon": ("database:\n  server: sekret: x\n", ["put the value in quotes", "  2 |   server: …: …"]),
    "an open quote": (
        "database:\n  server: 'sekret\n  port: 1\n",
        ["line 2, column 11: a quote that is not closed", "noticed in line 4", "  2 |   server: '…"],
    ),
    "an open quote of a password": (
        "database:\n  password: 'sek{ret\n",
        ["a quote that is not closed", "  2 |   password: …"],
    ),
    "a password on a line of its own": ("a: {\n  password:\n    sek{ret, [x\n", ["line"]),
    "a percent sign": ("database:\n  server: %sekret\n", ["put it in quotes", "'%'"]),
    "a field without a colon": ("database:\n  server\n  port: 1\n", ["line 3"]),
    "a field twice": ("database:\n  server: a\n  server: sekret\n", ["`server` is given twice", "  3 |   server: …"]),
    "a name that is a number": (
        "database:\n  server: sekret\n  1433: x\n",
        ["line 3, column 3: the name of a field is no text: put it in quotes"],
    ),
    "a password that a comma ends": (
        "database: {server: s, password: sek,1234, port: 1}\n",
        ["line 1", "the name of a field is no text", "in `{…}` a value that has a comma needs quotes", "password: …"],
    ),
    "a name that is a number at the top": ("1433: sekret\n", ["line 1, column 1: the name of a field is no text"]),
    "a name that is nothing": ("static_tables:\n- {~: sekret}\n", ["line 2, column 4: the name of a field is no text"]),
    "an alias": ("database:\n  server: *sekret\n", ["found undefined alias …", "  2 |   server: *…"]),
}


@pytest.mark.parametrize("case", BROKEN)
def test_the_line_to_blame_is_shown_without_its_values(tmp_path: Path, case: str) -> None:
    text, said = BROKEN[case]
    file = tmp_path / "dltsync.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(file, {})
    for words in said:
        assert words in str(caught.value)
    assert "sek" not in str(caught.value)
    assert "1234" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_toml_shows_its_line_as_well(tmp_path: Path) -> None:
    file = tmp_path / "dltsync.toml"
    file.write_text('[database]\nserver = "sekret" port = 1\npassword = "sekret"\n')
    with pytest.raises(ConfigError) as caught:
        load_config(file, {})
    assert "line 2, column" in str(caught.value)
    assert '  2 | server = "…" port = 1' in str(caught.value)
    assert "sekret" not in str(caught.value)


_SECRET = st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1, max_size=20)


@given(secret=_SECRET, field=st.sampled_from(["password", "state_url", "storage_options", "aws_secret_access_key"]))
def test_nothing_after_the_field_of_a_secret_is_shown(secret: str, field: str) -> None:
    for line in (f"  {field}: {secret}", f"database: {{server: x, {field}: {secret}}}", f'{field} = "{secret}"'):
        start = line.index(field) + len(field)
        for column in (0, start, len(line)):
            shown = shown_line(line, 0, column).splitlines()
            head, _, tail = shown[0].partition(field)
            assert head.strip()
            assert set(tail) <= set(' :=…"')
            assert len(shown) == 2


@given(line=st.text(max_size=40), column=st.integers(0, 50))
def test_any_line_can_be_shown(line: str, column: int) -> None:
    assert shown_line(f"x: 1\n{line}", 1, column)
