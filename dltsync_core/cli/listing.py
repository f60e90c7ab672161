"""A list of results: a table where it fits into the terminal, else a short block per row. Names are never folded into columns
of a few letters: people copy them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table
from rich.text import Text

_GAP = 2
"""Blanks between two columns."""
_WORD = 12
"""Length of a last cell that is no sentence: it stands behind the others."""
_LEAST_LAST = 24
"""Columns of the terminal that the last column needs when its sentences are wrapped in a table."""


@dataclass(frozen=True)
class Column:
    """`label`: in a block the value stands behind the column's name."""

    name: str
    numeric: bool = False
    label: bool = False


@dataclass
class Listing:
    """Rows under a title. The first column names what the row is about, the last one may be a sentence."""

    title: str
    columns: Sequence[Column]
    rows: list[list[Text]] = field(default_factory=list)

    def add(self, *cells: Text | str) -> None:
        self.rows.append([cell if isinstance(cell, Text) else Text(cell) for cell in cells])

    def print(self, console: Console) -> None:
        """For a terminal of the console's width."""
        if self._fits(console.width):
            console.print(self._table())
            return
        if self.title:
            console.print(Text(self.title, style="bold"), soft_wrap=True)
        last_name = ""
        for row in self.rows:
            if row[0].plain != last_name or not row[0].plain:
                console.print(row[0], soft_wrap=True)
            last_name = row[0].plain
            for line in self._block(row, console.width):
                console.print(line, soft_wrap=True)

    def _fits(self, width: int) -> bool:
        """Whether all columns but the last fit as they are, and the last one as it is or in lines that can be read."""
        widths = [
            max([len(column.name), *(row[number].cell_len for row in self.rows)])
            for number, column in enumerate(self.columns)
        ]
        before = sum(widths[:-1]) + _GAP * (len(widths) - 1)
        return before + min(widths[-1], _LEAST_LAST) <= width

    def _table(self) -> Table:
        made = Table(
            title=self.title or None,
            title_justify="left",
            title_style="bold",
            header_style="bold",
            box=None,
            pad_edge=False,
            padding=(0, _GAP, 0, 0),
        )
        for number, column in enumerate(self.columns):
            is_last = number == len(self.columns) - 1
            made.add_column(
                column.name,
                justify="right" if column.numeric else "left",
                no_wrap=not is_last,
                overflow="fold",
            )
        for row in self.rows:
            made.add_row(*row)
        return made

    def _block(self, row: Sequence[Text], width: int) -> list[Text]:
        """The other cells: one line, or one each where that is too long; the last one wrapped below."""
        cells = [
            Text.assemble(f"{column.name} ", cell) if column.numeric or column.label else cell
            for column, cell in zip(self.columns[1:-1], row[1:-1], strict=True)
            if cell.plain
        ]
        last, name = row[-1], self.columns[-1]
        named = Text.assemble(f"{name.name} ", last) if last.plain and (name.label or name.numeric) else last
        lines: list[Text] = []
        for cell in cells:
            if not _joined(lines, cell, width):
                lines.append(Text.assemble("    " if lines else "  ", cell))
        if 0 < last.cell_len <= _WORD and not name.label and _joined(lines, named, width):
            return lines
        wrapped = textwrap.wrap(named.plain, max(width - 4, 20), break_long_words=False, break_on_hyphens=False)
        return [*lines, *(Text(f"    {line}", style=last.style) for line in wrapped)]


def _joined(lines: list[Text], cell: Text, width: int) -> bool:
    """Whether the cell went behind the last line."""
    if not lines or lines[-1].cell_len + _GAP + cell.cell_len > width:
        return False
    lines[-1] = Text.assemble(lines[-1], " " * _GAP, cell)
    return True
