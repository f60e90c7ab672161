"""What a database calls its things is shown by the UI as text, whatever it looks like."""

from __future__ import annotations

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from dltsync_core.config import DatabaseConfig, PipelineConfig, StaticTableConfig
from dltsync_core.identity import TableName
from dltsync_core.run.result import RowCounts, UnitResult
from dltsync_core.validate.column_stats import LoadedFigure
from dltsync_dagster.check_outcomes import outcomes_of
from dltsync_dagster.checks import load_outcome
from dltsync_dagster.markdown import code
from dltsync_dagster.translator import TableTranslator, TableTranslatorData

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "[click](javascript:alert(1))",
    "![x](http://evil.example/x.png)",
    "a | b | c",
    "``` ` ``",
    "# headline\n\n- list",
    "http://evil.example/ and <http://evil.example/>",
    "&lt;b&gt; **bold** _em_ ~~gone~~ a\\|b",
)
FIGURE = {"figure": "sum", "source": "1", "lake": "1", "warehouse": "2"}
ROW = {"values": [{"column": "c", "source": "<b>", "warehouse": None}]}
markdown = MarkdownIt("commonmark", {"html": True}).enable("table").enable("strikethrough")
texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp")), min_size=1) | st.text(
    "`|<>[]()*_\\&#!-~: ab", min_size=1
)


def shown(text: str) -> list[tuple[str, str]]:
    """What is rendered: kinds of pieces with their content; HTML, links and images would be kinds of their own."""
    return [(piece.type, piece.content) for token in markdown.parse(text) for piece in token.children or ()]


def one_line(text: str) -> str:
    return " ".join(text.split())


@given(texts.filter(lambda text: bool(text.strip())))
def test_any_text_stays_in_its_cell_as_code(text: str) -> None:
    table = f"| a | b |\n| --- | --- |\n| {code(text)} | 7 |"
    cells = [token for token in markdown.parse(table) if token.type == "inline"]
    assert [len(cells), cells[3].content] == [4, "7"]
    (piece,) = cells[2].children or [cells[2]]
    assert piece.type == "code_inline"
    assert piece.content.strip() == one_line(text)


@pytest.mark.survives(
    "input",
    "partition boundaries and names with HTML, links and table bars in them, in Dagster",
    "the UI shows them as text",
    "nothing is rendered or followed",
)
@pytest.mark.parametrize("text", HOSTILE)
def test_metadata_and_descriptions_of_hostile_names_render_nothing(text: str) -> None:
    figures = (LoadedFigure(text, "nulls", "0", "0"),)
    unit = UnitResult(
        TableName("dbo", "T"), "partition", text, "committed", "", compared=figures, counts=RowCounts(1, 1, 1)
    )
    report = {
        "unit": text,
        "source": 1,
        "lake": 1,
        "warehouse": 1,
        "equal": True,
        "messages": [],
        "columns": [FIGURE | {"column": text}],
        "row_diff": {"key": [text], "rows": [ROW | {"key": {text: text}, "message": text}], "reason": text},
    }
    whole = outcomes_of({"units": [report, report], "problems": [text], "notes": [text]}, None)[-1]
    shown_in_checks = {**load_outcome(unit).metadata, **whole.metadata}
    tables = {
        name: value.value for name, value in shown_in_checks.items() if isinstance(value, dg.MarkdownMetadataValue)
    }
    assert set(tables) == {
        f"dltsync/{name}" for name in ("columns", "units", "differences", "rows", "problems", "notes")
    }
    table = StaticTableConfig(table_name=one_line(text), schema_name="dbo")
    config = PipelineConfig(
        database=DatabaseConfig(server="s", database="d", username="u", password="p"), static_tables=[table]
    )
    description = TableTranslator().get_source_spec(TableTranslatorData(config, table)).description
    kinds = {kind for part in (*map(str, tables.values()), str(description)) for kind, _ in shown(part)}
    assert kinds <= {"text", "text_special", "code_inline"}
