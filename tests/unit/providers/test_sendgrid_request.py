"""SendGrid's request: the text that its own builder writes, whatever the message contains."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from notify.errors import PermanentError
from notify.message import Attachment, MailSender, Rendered
from providers.sendgrid import mail
from providers.sendgrid.request import MOST_SHAPES, RequestWriter, shape_of
from tests.unit.providers.dialects import MESSAGE

# Lone surrogates included: JSON can escape them, so nothing may break on the way there.
TEXT = st.text(st.characters(exclude_categories=()), max_size=40) | st.sampled_from(
    ["", "%", "%(to)s", '"', "\\", '","', "\\u0000", "\0", "</p>", "\u2028", "\U0001f600"]
)
NAME = st.sampled_from(["List-Id", "List-Unsubscribe", "LIST-UNSUBSCRIBE", "X-%s", "%(to)s"]) | TEXT
SENDER = st.builds(MailSender, TEXT, st.none() | TEXT)
FILE = st.builds(Attachment, TEXT, TEXT, TEXT, st.none() | TEXT)
MESSAGES = st.builds(
    Rendered,
    st.uuids(),
    st.uuids(),
    TEXT,
    subject=TEXT,
    text=TEXT,
    html=TEXT,
    sender=st.none() | SENDER,
    headers=st.lists(st.tuples(NAME, TEXT), max_size=4),
    reply_to=st.none() | TEXT,
    attachments=st.lists(FILE, max_size=3),
)
OURS = MailSender("sender@example.com", "100 % %(to)s")
TWICE = (("List-Id", "first"), ("X", "between"), ("List-Id", "last"))


@given(MESSAGES, MESSAGES, SENDER, st.booleans())
@example(MESSAGE, Rendered(MESSAGE.notification_id, MESSAGE.attempt_id, ""), OURS, True)
@example(
    Rendered(MESSAGE.notification_id, MESSAGE.attempt_id, "", headers=TWICE), MESSAGE, OURS, False
)
def test_a_request_is_what_sendgrids_builder_writes(
    first: Rendered, second: Rendered, sender: MailSender, tracking: bool
) -> None:
    """Byte for byte, and the values of one message never reach the next of its shape."""
    writer = RequestWriter(sender, subscription_tracking=tracking)
    for message in (first, second, first):
        expected = mail.built(message, sender=sender, subscription_tracking=tracking)
        assert writer.body(message).decode("ascii") == expected
        json.loads(expected)


KEY = "SG.abc.def"


@pytest.mark.parametrize("message", [replace(MESSAGE, text=KEY), replace(MESSAGE, html=KEY)])
def test_content_is_checked_for_keys_as_the_builder_does(message: Rendered) -> None:
    """The check runs for each message, not once for its shape."""
    writer = RequestWriter(OURS, subscription_tracking=False)
    writer.body(MESSAGE)
    with pytest.raises(PermanentError, match="begins with a SendGrid API key"):
        writer.body(message)


def test_a_shape_is_built_once_and_their_number_is_bounded() -> None:
    """A sender that invents header names costs the builder's time, not memory."""
    writer = RequestWriter(OURS, subscription_tracking=False)
    for _ in range(3):
        writer.body(MESSAGE)
    assert writer.skeleton.cache_info().misses == 1
    assert writer.skeleton(shape_of(MESSAGE)) is writer.skeleton(shape_of(MESSAGE))
    assert writer.skeleton.cache_info().maxsize == MOST_SHAPES
