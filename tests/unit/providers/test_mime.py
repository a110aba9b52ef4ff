"""The form of an email: any text arrives as it was, and no line can end the message."""

from __future__ import annotations

import email
from dataclasses import replace
from email import policy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notify.message import MailSender, Rendered
from providers._shared.mime import header, mime_message
from providers._shared.mime_parts import HeaderUnfit
from tests.support.examples import examples
from tests.unit.providers.dialects import MESSAGE

SENDER = MailSender("no-reply@example.com", "Example")
TEXTS = st.text(
    st.one_of(
        st.sampled_from("\n\r. =\t_"),
        st.characters(exclude_categories=("Cs", "Cc")),
    ),
    max_size=300,
)
SUBJECTS = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=300)


def written(message: Rendered) -> bytes:
    """The message as it is sent."""
    return mime_message(message, sender=SENDER, message_id="id@example.com", now=1_796_000_000)


@settings(max_examples=examples(60), deadline=None)
@given(SUBJECTS, TEXTS, TEXTS)
def test_any_text_arrives_as_it_was(subject: str, text: str, html: str) -> None:
    """Read by Python's own parser; only the ends of lines may differ."""
    raw = written(replace(MESSAGE, subject=subject, text=text, html=html))
    lines = raw.split(b"\r\n")
    assert raw.isascii()
    assert not any(b"\r" in line or b"\n" in line or len(line) > 998 for line in lines)
    mail = email.message_from_bytes(raw, policy=policy.default)
    assert not any(part.defects for part in mail.walk())
    assert str(mail["subject"]).split() == subject.split()
    for kind, wanted in (("plain", text), ("html", html)):
        part = mail.get_body((kind,))
        if wanted or (kind == "plain" and not html):
            assert part is not None
            assert ended(part.get_content()) == ended(wanted)


def ended(text: str) -> str:
    """A text with the same end of each line, and one at its end."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    return plain if plain.endswith("\n") else f"{plain}\n"


@pytest.mark.parametrize(
    "value",
    ["<https://example.com/" + "a" * 300 + ">", "<a@b>, " * 40 + "<c@d>", "x " * 200, "  x  y  "],
)
def test_a_header_is_folded_at_its_spaces_only(value: str) -> None:
    """Unlike email.message, which encodes long addresses so that no program reads them."""
    folded = header("List-Unsubscribe", value)
    assert "=?" not in folded
    assert folded.replace("\r\n ", " ").rstrip("\r\n") == f"List-Unsubscribe: {value}"
    longest = max(map(len, value.split()))
    assert all(len(line) <= max(80, longest + 20) for line in folded.split("\r\n"))


def test_a_word_that_no_line_can_hold_is_refused() -> None:
    """RFC 5322 allows 998 characters; a subject is encoded instead, and so broken."""
    with pytest.raises(HeaderUnfit):
        header("X-Long", "x" * 1000)
    raw = written(replace(MESSAGE, subject="x" * 3000))
    assert email.message_from_bytes(raw, policy=policy.default)["subject"] == "x" * 3000
