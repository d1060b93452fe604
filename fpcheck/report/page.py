"""A page of styled text, never wider than the terminal: rich's console behind a few words.

Everything is built from `Text`, never from markup, and every string from a file passes through
`printable`: a layer called `[red]` or one that holds an escape sequence is shown as it is called.
"""

from __future__ import annotations

import io
from collections.abc import Iterable

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.text import Text

from fpcheck.core.printable import printable
from fpcheck.report.style import Style

NARROWEST = 40  # columns; below that a table has no form
PART_GAP = 3  # cells between the parts of a line
GAP = 2  # cells between columns


class Page:
    """Lines of text gathered in order; keeps rich's console to itself."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.width = max(style.width, NARROWEST)
        self._out = io.StringIO()
        self._console = Console(
            file=self._out,
            width=self.width,
            force_terminal=style.colour,
            color_system="256" if style.colour else None,
            no_color=not style.colour,
            highlight=False,
            markup=False,
            emoji=False,
            legacy_windows=False,
            _environ={},  # COLUMNS and the like have been looked at already
        )

    def plain(self, text: str) -> str:
        """`text` as it may be shown."""
        return printable(text, ascii_only=self.style.ascii_only)

    def line(self, text: str | Text = "", *, indent: int = 0) -> None:
        """Add a line, wrapped between words where it is too long."""
        styled = Text(self.plain(text)) if isinstance(text, str) else text
        self.add(Padding(styled, (0, 0, 0, indent), expand=False) if indent else styled)

    def parts(self, parts: Iterable[Text]) -> None:
        """Add parts side by side, a line broken between two of them where they do not fit."""
        line = Text()
        for part in parts:
            if line and line.cell_len + PART_GAP + part.cell_len > self.width:
                self.add(line)
                line = Text()
            line = line.append(" " * PART_GAP).append_text(part) if line else Text().append(part)
        self.add(line)

    def blank(self) -> None:
        """Add an empty line."""
        self.add(Text(""))

    def add(self, item: RenderableType) -> None:
        """Add anything that rich can draw."""
        self._console.print(item, overflow="fold", crop=True)

    def text(self) -> str:
        """What was added, without spaces at line ends and without blank lines at the end."""
        lines = [line.rstrip() for line in self._out.getvalue().splitlines()]
        return "\n".join(lines).rstrip("\n") + "\n"
