"""The packaged templates: complete, in every language, with the data that is documented."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from notify.errors import TemplateError
from notify.message import Channel
from notify.templating import Templates

NAMES = ("incident_alert", "invoice", "login_code", "password_reset", "welcome")
LOCALES = ("de", "en")
DOCS = Path(__file__).parents[3] / "docs" / "templates.md"

# 3GPP TS 23.038: the default alphabet, and the characters that cost two septets.
GSM_7 = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_7_EXTENSION = set("^{}\\[~]|€")

VOID = {"br", "meta", "img", "hr"}


class Outline(HTMLParser):
    """Checks that tags are closed in order, and remembers their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember a tag."""
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the last one that is open."""
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def templates() -> Templates:
    """The packaged templates alone."""
    return Templates()


@pytest.fixture(scope="module")
def variables(templates: Templates) -> dict[str, tuple[str, ...]]:
    """The variables of each; to find them costs as much as to compile them."""
    return {info.name: info.variables for info in templates.names()}


def septets(text: str) -> int:
    """How much of a segment's 160 septets a text takes; fails for what GSM-7 lacks."""
    assert set(text) <= GSM_7 | GSM_7_EXTENSION
    return sum(2 if character in GSM_7_EXTENSION else 1 for character in text)


def test_the_packaged_templates_have_no_problems(templates: Templates) -> None:
    """Every file compiles, every version is complete, every reference exists."""
    assert templates.problems() == []
    assert tuple(info.name for info in templates.names()) == NAMES
    for info in templates.names():
        assert info.locales == LOCALES
        assert info.channels == tuple(Channel)


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("name", NAMES)
def test_a_packaged_email_renders_with_its_sample(
    templates: Templates, name: str, locale: str
) -> None:
    """Subject, text and well-formed HTML in the language asked for; nothing from outside."""
    content = templates.render(
        name, channel=Channel.EMAIL, locale=locale, data=templates.sample(name)
    )
    assert len(content.subject) < 78
    assert f'<html lang="{locale}"' in content.html
    outline = Outline()
    outline.feed(content.html)
    outline.close()
    assert outline.open == []
    tags = [tag for tag, _ in outline.seen]
    assert not {"img", "script", "link", "iframe", "form"} & set(tags)
    links = [attrs["href"] for tag, attrs in outline.seen if tag == "a"]
    assert all(link is not None and link.startswith("https://") for link in links)
    assert all(str(link) in content.text for link in links)
    assert max(len(line) for line in content.html.splitlines()) < 998
    assert len(content.html) < 100_000, "Gmail clips a mail at 102 kB"


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("name", NAMES)
def test_a_packaged_sms_fits_one_segment(templates: Templates, name: str, locale: str) -> None:
    """Its sample gives GSM-7 text of at most 160 septets."""
    content = templates.render(
        name, channel=Channel.SMS, locale=locale, data=templates.sample(name)
    )
    assert septets(content.text) <= 160


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("name", NAMES)
def test_a_packaged_push_fits_a_lock_screen(templates: Templates, name: str, locale: str) -> None:
    """A short title and a body of two or three lines."""
    content = templates.render(
        name, channel=Channel.PUSH, locale=locale, data=templates.sample(name)
    )
    assert len(content.subject) <= 50
    assert len(content.text) <= 100


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("channel", list(Channel))
@pytest.mark.parametrize("name", NAMES)
def test_a_packaged_template_needs_what_its_documentation_says(
    templates: Templates,
    variables: dict[str, tuple[str, ...]],
    name: str,
    channel: Channel,
    locale: str,
) -> None:
    """The sample, the variables listed and the documentation agree; each lack is an error."""
    sample = templates.sample(name)
    assert set(sample) == set(variables[name])
    section = DOCS.read_text("utf-8").split(f"### {name}\n")[1].split("\n### ")[0]
    assert set(re.findall(r"^\| `(\w+)` ", section, re.M)) == set(variables[name])
    with pytest.raises(TemplateError, match=r"line \d+: missing data: '\w+' is undefined"):
        templates.render(name, channel=channel, locale=locale, data={})


@pytest.mark.parametrize("locale", LOCALES)
def test_the_code_comes_first(templates: Templates, locale: str) -> None:
    """It shows in the notification on a locked phone."""
    sample = templates.sample("login_code")
    for channel in (Channel.SMS, Channel.EMAIL):
        content = templates.render("login_code", channel=channel, locale=locale, data=sample)
        assert (content.subject or content.text).startswith("493817 ")


@pytest.mark.parametrize(
    ("locale", "minutes", "wanted"),
    [
        ("en", 1, "1 minute."),
        ("en", 2, "2 minutes."),
        ("de", 1, "1 Minute gültig"),
        ("de", 2, "2 Minuten"),
    ],
)
def test_minutes_are_counted_in_good_grammar(
    templates: Templates, locale: str, minutes: int, wanted: str
) -> None:
    """One minute, two minutes."""
    data = {**templates.sample("login_code"), "minutes": minutes}
    content = templates.render("login_code", channel=Channel.SMS, locale=locale, data=data)
    assert wanted in content.text


def test_an_invoice_may_have_no_tax(templates: Templates) -> None:
    """The line goes; the lines around it stay where they were."""
    data = templates.sample("invoice")
    del data["tax"]
    content = templates.render("invoice", channel=Channel.EMAIL, locale="en", data=data)
    assert "Tax" not in content.text + content.html
    assert "€19.90\n\nTotal: €112.87" in content.text


def test_an_unknown_severity_is_refused(templates: Templates) -> None:
    """It has no word in the other languages."""
    data = {**templates.sample("incident_alert"), "severity": "apocalyptic"}
    with pytest.raises(TemplateError) as caught:
        templates.render("incident_alert", channel=Channel.SMS, locale="de", data=data)
    assert "apocalyptic" not in str(caught.value)


@pytest.mark.parametrize("name", ["welcome", "password_reset", "invoice"])
def test_a_strangers_name_stays_harmless(templates: Templates, name: str) -> None:
    """Neither markup nor a link comes out of a name."""
    data = {**templates.sample(name), "name": "<b>Win</b> https://evil.example"}
    content = templates.render(name, channel=Channel.EMAIL, locale="en", data=data)
    assert "<b>Win" not in content.html
    assert "evil.example" not in content.html + content.text
