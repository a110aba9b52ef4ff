"""Tokens of unsubscribe links: unforgeable, valid over changes of keys, the same every time."""

from __future__ import annotations

import base64
import re

from hypothesis import given
from hypothesis import strategies as st

from notify.categories import OptOut, UnsubscribeTokens
from notify.keyring import Keyring
from notify.message import Channel
from tests.support.sealing import KEYRING, NEWER

OPT_OUTS = st.builds(
    OptOut,
    channel=st.sampled_from(Channel),
    source=st.from_regex(r"[a-z0-9][a-z0-9_-]{0,62}", fullmatch=True),
    category=st.from_regex(r"[a-z][a-z0-9_-]{0,30}", fullmatch=True),
    recipient_hash=st.binary(min_size=16, max_size=16),
)
NEWSLETTER = OptOut(Channel.EMAIL, "shop", "newsletter", b"r" * 16)


@given(OPT_OUTS)
def test_a_token_reads_as_what_was_written(opt_out: OptOut) -> None:
    """It needs no record: source, category, channel and recipient are in it."""
    token = UnsubscribeTokens(KEYRING).write(opt_out)
    assert UnsubscribeTokens(KEYRING).read(token) == opt_out
    assert re.fullmatch(r"[A-Za-z0-9_-]{50,220}", token)


@given(OPT_OUTS, st.data())
def test_a_flipped_bit_is_refused(opt_out: OptOut, data: st.DataObject) -> None:
    """One token cannot be turned into another."""
    tokens = UnsubscribeTokens(KEYRING)
    written = tokens.write(opt_out)
    sealed = bytearray(base64.urlsafe_b64decode(written + "=" * (-len(written) % 4)))
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    assert tokens.read(base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()) is None


@given(OPT_OUTS, st.data())
def test_another_character_is_refused(opt_out: OptOut, data: st.DataObject) -> None:
    """A token has one spelling, also in the bits of its last character that carry nothing."""
    tokens = UnsubscribeTokens(KEYRING)
    written = tokens.write(opt_out)
    at = data.draw(st.integers(0, len(written) - 1))
    other = data.draw(st.characters().filter(lambda each: each != written[at]))
    assert tokens.read(written[:at] + other + written[at + 1 :]) is None
    assert tokens.read(written[:at] + written[at + 1 :]) is None


@given(st.text(max_size=400))
def test_any_other_text_is_refused(text: str) -> None:
    """Strangers call the address with anything."""
    assert UnsubscribeTokens(KEYRING).read(text) is None


def test_a_token_outlives_every_key_that_seals() -> None:
    """Mail is read years later; by then the key of that time is removed from the keyring."""
    token = UnsubscribeTokens(KEYRING).write(NEWSLETTER)
    later = Keyring({"k9": b"9" * 32}, hash_key=b"h" * 32)
    for keyring in (NEWER, later):
        assert UnsubscribeTokens(keyring).read(token) == NEWSLETTER


def test_a_token_of_another_installation_is_refused() -> None:
    """Its hash means no recipient here."""
    other = Keyring({"k1": b"1" * 32}, hash_key=b"x" * 32)
    assert UnsubscribeTokens(other).read(UnsubscribeTokens(KEYRING).write(NEWSLETTER)) is None


def test_nothing_in_a_token_can_be_read() -> None:
    """A link is forwarded and logged: it names neither recipient nor category."""
    token = UnsubscribeTokens(KEYRING).write(NEWSLETTER)
    sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    for secret in (b"shop", b"newsletter", b"email", b"r" * 16):
        assert secret not in sealed


def test_the_same_opt_out_has_the_same_token() -> None:
    """A message that is rendered again is the same message: a look-up finds its text."""
    tokens = {UnsubscribeTokens(keyring).write(NEWSLETTER) for keyring in (KEYRING, NEWER)}
    assert len(tokens) == 1
