"""An e-mail's HTML out of Markdown."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.letter import Letter, Line
from campaigns.rendering import Template
from campaigns.texts import Composer
from tests import make

WAY = Line("Unsubscribe: ", "https://no-s.ms/e/ABC", "")
TAGS = {
    "html", "head", "meta", "title", "body", "div", "p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "a",
    "em", "strong", "code", "pre", "blockquote", "hr", "br", "img",
}  # fmt: skip
ATTRIBUTES = {"style", "href", "rel", "src", "alt", "title", "start", "class", "lang", "charset", "name", "content"}


class Seen(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def addresses(self):
        return [a["href"] for tag, a in self.tags if tag == "a"]


def content(body, values=None, line=WAY, **options):
    return Letter.of(Template.parse(body), styled=False, **options).content(values or {}, line=line)


def page(body, values=None, **options):
    return Letter.of(Template.parse(body), **options).page(values or {}, line=WAY, language="nl")


def test_markdown_becomes_headings_lists_and_links():
    html = content("# Sale\n\n**Now** and *here*\n\n- one\n- two\n\n[Shop](https://shop.example/?a=1&b=2)")
    for part in ("<h1>Sale</h1>", "<strong>Now</strong>", "<em>here</em>", "<li>one</li>"):
        assert part in html
    assert Seen(html).addresses()[0] == "https://shop.example/?a=1&b=2"


def test_html_in_the_text_is_shown_as_text():
    html = content("<script>alert(1)</script>\n\n<img src=x onerror=alert(1)> a <b>c</b>")
    assert {tag for tag, _a in Seen(html).tags} <= {"p", "a", "br"}
    assert "<script>alert(1)</script>" in Seen(html).text


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc", "/relative", "//x"],
)
def test_only_complete_addresses_of_the_web_become_links_or_pictures(address):
    html = content(f"[here]({address}) ![pic]({address}) <{address}>")
    assert Seen(html).addresses() == [WAY.link]
    assert not [tag for tag, _a in Seen(html).tags if tag == "img"]


def test_what_a_contact_is_called_is_never_markdown_or_html():
    html = content("Hi {first_name}", {"first_name": "<b>[x](https://evil.example)</b> **Bob** https://evil.example"})
    assert Seen(html).addresses() == [WAY.link]
    assert "**Bob**" in Seen(html).text
    assert "<b>" not in html


def test_a_field_in_an_address_is_written_for_addresses():
    html = content("[go](https://shop.example/?who={first_name|x y})", {"first_name": "A&B \"'> c"})
    assert Seen(html).addresses()[0] == "https://shop.example/?who=A%26B%20%22%27%3E%20c"
    assert "who=x%20y" in content("[go](https://shop.example/?who={first_name|x y})")


def test_an_address_that_is_all_field_stays_text():
    html = content("[go]({attr.url})", {"attr.url": "javascript:alert(1)"})
    assert Seen(html).addresses() == [WAY.link]


def test_a_bare_address_becomes_a_link_without_its_full_stop():
    html = content("See https://shop.example/a?b=1, or (https://shop.example/c).")
    assert Seen(html).addresses()[:2] == ["https://shop.example/a?b=1", "https://shop.example/c"]


def test_the_way_out_is_a_link_below_everything():
    html = content("Sale")
    assert f'<a href="{WAY.link}">Unsubscribe</a>' in html
    assert html.index("Sale") < html.index(WAY.link)


def test_the_way_out_goes_to_its_place():
    html = content("{opt_out}\n\nSale")
    assert html.count(WAY.link) == 1
    assert html.index(WAY.link) < html.index("Sale")


def test_a_line_around_its_link_keeps_its_words():
    html = content("Sale", line=Line("Go to ", "https://no-s.ms/e/A", " & be out"))
    assert 'Go to <a href="https://no-s.ms/e/A">https://no-s.ms/e/A</a> &amp; be out' in html


def test_the_page_names_its_language_and_shows_the_preview_line_first():
    html = page("Sale", subject="<Sale>", preheader="Only & today")
    assert '<html lang="nl">' in html
    assert "<title>&lt;Sale&gt;</title>" in html
    assert html.index("Only &amp; today") < html.index("<p")


def test_signs_that_stand_for_fields_cannot_be_typed():
    assert "\ue000" not in content("\ue0000\ue001 {first_name}", {"first_name": "Bob"})


def test_our_own_pages_get_no_styles():
    assert "style=" not in content("# a\n\n- b\n\n> c\n\n[d](https://e.example)")


@given(st.text(max_size=300), st.text(max_size=60))
def test_whatever_is_written_only_what_markdown_knows_gets_through(body, name):
    template = Template([body, *Template.parse("{first_name}").parts])
    letter = Letter.of(template, subject=name, preheader=name)
    seen = Seen(letter.page({"first_name": name}, line=WAY, language="en"))
    assert {tag for tag, _a in seen.tags} <= TAGS
    assert {a for _tag, attrs in seen.tags for a in attrs} <= ATTRIBUTES
    assert WAY.link in seen.addresses()
    assert all(a.lower().startswith(("http://", "https://", "mailto:", "tel:")) for a in seen.addresses())


def test_a_campaign_s_message_has_text_and_page_with_the_same_link(world):
    campaign = make.campaign(
        world.acme, world.customers, channel="email", subject="Sale", preheader="Now", body="Hi **{first_name}**"
    )
    composer = Composer(company=world.acme, campaign=campaign)
    facts = {
        "message_id": 7, "channel": "email", "language": "nl", "method": "link", "reply_code": "", "country": "",
        "contact": ["Sanne"],
    }  # fmt: skip
    text, html = composer.text(**facts), composer.html(**facts)
    assert text.startswith("Hi **Sanne**\n")
    assert "<strong>Sanne</strong>" in html
    (address,) = Seen(html).addresses()
    assert address in text


def test_an_sms_has_no_page(world):
    composer = Composer(company=world.acme, campaign=make.campaign(world.acme, world.customers))
    facts = {"message_id": 7, "channel": "sms", "language": "nl", "method": "link", "reply_code": "", "country": "NL"}
    assert composer.html(**facts, contact=[]) == composer.shown_html(**facts, contact=[]) == ""
