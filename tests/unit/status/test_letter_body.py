"""A dead letter's body, as `notify dead show` prints it."""

from __future__ import annotations

import json

import pytest

from notify.status.letter_body import readable

MEGABYTE = 1_048_576


@pytest.mark.parametrize("recipients", [True, False])
def test_the_content_of_files_is_not_shown(recipients: bool) -> None:
    """Their names and types are; a broken list of files is shown as far as it is one."""
    file = {"name": "terms.pdf", "type": "application/pdf", "content": "canary" * 1000}
    body = {"to": "ann@example.com", "attachments": [file, 7, {"content": 8}]}
    shown = readable(json.dumps(body).encode(), show_recipients=recipients)
    assert "canary" not in shown
    assert "terms.pdf" in shown
    assert "(6,000 characters: --raw)" in shown


@pytest.mark.parametrize(
    "body",
    [
        b'{"to":"ann@sandbox.test","text":"' + b"A" * MEGABYTE,
        b"a@" * (MEGABYTE // 2),
        b"@" * MEGABYTE,
        b"1 " * (MEGABYTE // 2),
        b"+1" + b" " * MEGABYTE,
        b"(" * MEGABYTE,
    ],
    ids=["long word", "many at", "only at", "digits", "number and blanks", "brackets"],
)
def test_a_broken_body_of_a_megabyte_is_shown_at_once(body: bytes) -> None:
    """A pattern that restarts at each letter would take minutes, beyond the test's timeout."""
    assert "ann@" not in readable(body, show_recipients=False)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("to: ann@example.com, hi", "to: a**************, hi"),
        ('{"to":"+49 151 1234",', '{"to":"+***********",'),
        ("<ann@a.example>;bo@b.example", "<a************>;b***********"),
        ("tel=+4915112345678", "tel=+*************"),
        ("@home 5@ a@", "@home 5@ a@"),
    ],
)
def test_anything_like_a_recipient_is_masked_in_an_unparsable_body(text: str, masked: str) -> None:
    """The length stays, so that the place of the mistake stays true."""
    assert readable(text.encode(), show_recipients=False) == masked


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_body_in_utf_16_is_masked_too(encoding: str) -> None:
    """Its letters are separated by NULs; the dump would show them."""
    text = readable("to ann@example.com +49 151 123456789".encode(encoding), show_recipients=False)
    assert not [each for each in ("n.n", "e.x.a", "1.5.1") if each in text]


@pytest.mark.parametrize("at", ["\uff20", "\ufe6b"], ids=ascii)
def test_an_at_of_another_width_is_masked_too(at: str) -> None:
    """A mail client accepts it as one."""
    assert "nn" not in readable(f"to ann{at}example.com {{".encode(), show_recipients=False)
