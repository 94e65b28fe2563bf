"""PDF on A4: texts of any script that our font has, the same bytes for the same content."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from django.conf import settings
from fpdf import FPDF
from fpdf.bidi import BidiParagraph

from lib import arabic

FONTS = Path(settings.BASE_DIR) / "static" / "vendor" / "dejavu-fonts-ttf-2.37.3"
MARGIN, LABEL = 20, 42  # mm
INK, MUTED, LINE, GROUND = (27, 36, 44), (91, 103, 112), (210, 216, 220), (244, 246, 247)
SMALL, NORMAL, LARGE, TITLE = 7.5, 9.5, 12, 18  # points
_RIGHT_TO_LEFT = {"R", "AL", "AN"}


class Paper(FPDF):
    """What is left out of the font is written by its number: a box would say nothing."""

    def __init__(self, *, title: str, author: str, language: str, at: datetime, footer: str, pages: str) -> None:
        super().__init__(format="A4")
        self.footer_text, self.pages_text = footer, pages
        self.left_out = False  # whether a character had to be written by its number
        self.set_margin(MARGIN)
        self.set_auto_page_break(True, margin=MARGIN + 5)
        for style, file in (("", "DejaVuSans.ttf"), ("B", "DejaVuSans-Bold.ttf")):
            self.add_font("DejaVu", style, FONTS / file)
        self.set_creation_date(at)
        self.set_title(title)
        self.set_author(author)
        self.set_lang(language)
        self.set_producer("Stopgate")
        self.write_as(NORMAL)
        self.add_page()

    def footer(self) -> None:
        self.set_y(-MARGIN + 4)
        self.write_as(SMALL, color=MUTED)
        self.cell(self.epw * 0.75, 5, _in_sight_order(self.shaped(self.footer_text)))
        self.cell(0, 5, self.pages_text.format(page=self.page_no(), pages="{nb}"), align="R")

    def write_as(self, size: float, *, bold: bool = False, color: tuple[int, int, int] = INK) -> None:
        self.set_font("DejaVu", "B" if bold else "", size)
        self.set_text_color(*color)

    def heading(self, text: str, *, size: float = LARGE, before: float = 7) -> None:
        if self.get_y() > self.t_margin:
            self.ln(before)
        if self.will_page_break(30):  # no heading alone at the end of a page
            self.add_page()
        self.write_as(size, bold=True)
        self.paragraph(text, leading=1.35)
        self.ln(1.5)
        self.write_as(NORMAL)

    def paragraph(self, text: str, *, leading: float = 1.45, width: float = 0, break_anywhere: bool = False) -> None:
        """From where the pen is to the right margin, line by line."""
        left = self.get_x()
        height = self.font_size * leading
        for line in self.lines(text, width=width or self.epw + self.l_margin - left, anywhere=break_anywhere):
            self.set_x(left)
            self.cell(0, height, _in_sight_order(line), new_x="LMARGIN", new_y="NEXT")

    def fact(self, label: str, value: str, *, size: float = NORMAL, mono: bool = False) -> None:
        """A label and what it says, side by side."""
        self.write_as(NORMAL, color=MUTED)
        if self.will_page_break(6 * len(self.lines(label, width=LABEL - 3))):
            self.add_page()
        top, page = self.get_y(), self.page
        self.paragraph(label, width=LABEL - 3)
        below = self.get_y()
        self.set_xy(self.l_margin + LABEL, top)
        self.write_as(SMALL if mono else size)
        self.paragraph(value, break_anywhere=mono)
        if self.page == page:
            self.set_y(max(below, self.get_y()))
        self.ln(0.8)

    def rows(self, header: Sequence[str], rows: Sequence[Sequence[str]], *, widths: Sequence[int]) -> None:
        """A table; its header is repeated on each page."""
        self.write_as(SMALL + 0.5)
        self.set_draw_color(*LINE)
        with self.table(
            col_widths=tuple(widths), text_align="LEFT", borders_layout="HORIZONTAL_LINES", line_height=4.6, padding=0.8
        ) as table:
            for cells in (header, *rows):
                line = table.row()
                for cell in cells:
                    line.cell(_in_sight_order(self.shaped(cell)))

    def lines(self, text: str, *, width: float, anywhere: bool = False) -> list[str]:
        """Broken at spaces, and within what has none. fpdf's own way takes a second for a page of hashes."""
        widths, room = self.current_font.cw, (width - 2 * self.c_margin) * 1000 / self.font_size  # type: ignore[union-attr]
        found = []
        for paragraph in self.shaped(text).split("\n"):
            start, space, used = 0, -1, 0.0
            for n, c in enumerate(paragraph):
                used += widths[ord(c)]
                if c == " " and not anywhere:
                    space = n
                elif used > room and n > start:
                    end = space + 1 if space >= start else n
                    found.append(paragraph[start:end].rstrip(" "))
                    start = end
                    used = sum(widths[ord(one)] for one in paragraph[start : n + 1])
            found.append(paragraph[start:])
        return found

    def shaped(self, text: str) -> str:
        """As this font can write it."""
        known = self.current_font.cmap  # type: ignore[union-attr]
        written = []
        for c in arabic.join(unicodedata.normalize("NFC", text)):
            if unicodedata.category(c) == "Cf":
                continue  # has no picture of its own
            if ord(c) in known or c == "\n":
                written.append(c)
            else:
                written.append(f"[U+{ord(c):04X}]")
                self.left_out = True
        return "".join(written)

    def written(self) -> bytes:
        return bytes(self.output())


def _in_sight_order(line: str) -> str:
    """From left to right as it is to stand on paper."""
    if not any(unicodedata.bidirectional(c) in _RIGHT_TO_LEFT for c in line):
        return line
    return "".join(str(c.character) for c in BidiParagraph(text=line).get_reordered_characters())
