"""An e-mail's HTML out of Markdown.

Markdown is read once per campaign. Merge fields stand in it as signs that Markdown leaves alone, so that what a
contact is called is never read as Markdown or HTML; each message only fills the signs.
Nothing but what Markdown knows gets through: HTML in the text is shown as text, and links and pictures are
complete addresses of the web.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from urllib.parse import quote

from markdown_it import MarkdownIt
from markdown_it.token import Token

from campaigns.rendering import OPT_OUT, Part, Template

#: Private-use characters around a number; in an address Markdown writes them in percents.
_OPEN, _CLOSE = "\ue000", "\ue001"
_SIGN = re.compile(f"{_OPEN}(\\d+){_CLOSE}|%EE%80%80(\\d+)%EE%80%81")
_SAFE_LINK = re.compile(r"(https?://|mailto:|tel:)[^\s]+", re.IGNORECASE)
_BARE_LINK = re.compile(r"https?://[^\s<>\"']*[^\s<>\"'.,;:!?)\]]")

STYLES = {
    "h1": "margin:0 0 16px;font-size:26px;line-height:1.25",
    "h2": "margin:24px 0 12px;font-size:20px;line-height:1.3",
    "h3": "margin:20px 0 8px;font-size:17px;line-height:1.3",
    "p": "margin:0 0 16px",
    "ul": "margin:0 0 16px;padding-left:24px",
    "ol": "margin:0 0 16px;padding-left:24px",
    "blockquote": "margin:0 0 16px;padding-left:14px;border-left:3px solid #c8c8c8;color:#555",
    "hr": "margin:24px 0;border:0;border-top:1px solid #ddd",
    "img": "max-width:100%;height:auto;border:0",
    "a": "color:#0b5cad",
}
_PAGE = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">\
<title>{subject}</title></head>
<body style="margin:0;padding:0;background:#fff;color:#1b1b1b">
{preheader}<div style="max-width:600px;margin:0 auto;padding:24px;font:16px/1.55 system-ui,Arial,sans-serif">
{content}</div>
</body></html>
"""
_PREHEADER = '<div style="display:none;max-height:0;overflow:hidden">{}</div>\n'
_FOOTER = "\n<p{}>{}</p>\n"
FOOTER_STYLE = "margin:32px 0 0;padding-top:12px;border-top:1px solid #ddd;font-size:13px;color:#5c5c5c"


def _markdown() -> MarkdownIt:
    reader = MarkdownIt("commonmark", {"html": False, "breaks": True})
    reader.validateLink = lambda address: bool(_SAFE_LINK.fullmatch(address))  # type: ignore[method-assign]
    return reader


_READER = _markdown()


@dataclass(frozen=True, slots=True)
class Line:
    """An opt-out line in the parts that HTML needs."""

    before: str
    link: str
    after: str

    def html(self, *, style: str = "") -> str:
        """“Unsubscribe: https://…” becomes the one word with the address behind it."""
        word = self.before.rstrip(" :\u00a0")
        if not self.link:
            return escape(self.before)
        opening = f'<a href="{escape(self.link)}"{style}>'
        if word and not self.after.strip():
            return f"{opening}{escape(word)}</a>"
        return f"{escape(self.before)}{opening}{escape(self.link)}</a>{escape(self.after)}"


@dataclass
class Letter:
    """One campaign's HTML: literal pieces, and fields by number with whether they stand in an address."""

    subject: str
    preheader: str
    styled: bool = True
    pieces: list[str | tuple[Part, bool]] = field(default_factory=list)
    places_line: bool = False

    @classmethod
    def of(cls, template: Template, *, subject: str = "", preheader: str = "", styled: bool = True) -> Letter:
        fields = [part for part in template.parts if not isinstance(part, str)]
        numbers = iter(range(len(fields)))
        source = "".join(
            _without_signs(part) if isinstance(part, str) else f"{_OPEN}{next(numbers)}{_CLOSE}"
            for part in template.parts
        )
        letter = cls(subject=subject, preheader=preheader, styled=styled)
        end, html = 0, _html(source, styled=styled)
        for found in _SIGN.finditer(html):
            part = fields[int(found[1] or found[2])]
            letter.pieces += [html[end : found.start()], (part, found[1] is None)]
            letter.places_line |= part.name == OPT_OUT
            end = found.end()
        letter.pieces.append(html[end:])
        return letter

    def content(self, values: Mapping[str, str], *, line: Line) -> str:
        """What stands inside the page. The way out is at its place, else below everything."""
        out = []
        way = line.html(style=' style="color:inherit"' if self.styled else "")
        for piece in self.pieces:
            if isinstance(piece, str):
                out.append(piece)
                continue
            part, in_address = piece
            if part.name == OPT_OUT:
                out.append(quote(line.link, safe="") if in_address else way)
            else:
                value = part.value(values)
                out.append(quote(value, safe="") if in_address else escape(value))
        if not self.places_line:
            out.append(_FOOTER.format(' style="' + FOOTER_STYLE + '"' if self.styled else ' class="way"', way))
        return "".join(out)

    def page(self, values: Mapping[str, str], *, line: Line, language: str) -> str:
        return _PAGE.format(
            language=escape(language or "en"),
            subject=escape(self.subject),
            preheader=_PREHEADER.format(escape(self.preheader)) if self.preheader else "",
            content=self.content(values, line=line),
        )


def _without_signs(text: str) -> str:
    return text.replace(_OPEN, "").replace(_CLOSE, "")


def _html(source: str, *, styled: bool) -> str:
    tokens = _READER.parse(source)
    for token in _all(tokens):
        if token.type == "inline" and token.children:
            token.children = _linked(token.children)
    for token in _all(tokens):
        if styled and token.nesting >= 0 and token.tag in STYLES:
            token.attrSet("style", STYLES[token.tag])
        if token.type == "link_open":
            token.attrSet("rel", "noopener")
    return str(_READER.renderer.render(tokens, _READER.options, {}))


def _all(tokens: list[Token]) -> list[Token]:
    return [one for token in tokens for one in (token, *(token.children or ()))]


def _linked(tokens: list[Token]) -> list[Token]:
    """Addresses that are simply written become links, as mail programs would make them."""
    out: list[Token] = []
    inside = 0
    for token in tokens:
        inside += token.type == "link_open"
        inside -= token.type == "link_close"
        if token.type != "text" or inside:
            out.append(token)
            continue
        end = 0
        for found in _BARE_LINK.finditer(token.content):
            opening = Token("link_open", "a", 1, attrs={"href": _READER.normalizeLink(found[0])})
            out += [_text(token.content[end : found.start()]), opening, _text(found[0]), Token("link_close", "a", -1)]
            end = found.end()
        out.append(_text(token.content[end:]))
    return out


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)
