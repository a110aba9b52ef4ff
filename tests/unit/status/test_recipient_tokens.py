"""Tokens for recipients in URLs: they find the rows and show nothing."""

from __future__ import annotations

import pytest

from notify.keyring import CLEAR
from notify.status.recipient_tokens import RecipientTokens, UnknownToken, is_token
from notify.store.sealing import RowCipher
from tests.support.sealing import KEYRING
from tests.support.tables import each_of

FALLBACK = b"f" * 32


@pytest.mark.parametrize("keyring", [CLEAR, KEYRING], ids=["clear", "sealed"])
def test_a_token_holds_the_hashes_of_its_recipient(keyring: object) -> None:
    """In any spelling; a sealed record may also have rows from before its keyring."""
    tokens = RecipientTokens(keyring, fallback=FALLBACK)  # type: ignore[arg-type]
    token = tokens.token("Ann@Example.com")
    assert token == tokens.token(" ann@example.com")
    assert tokens.hashes(token) == RowCipher(keyring).hashes("ann@example.com")  # type: ignore[arg-type]
    assert is_token(token)
    assert not is_token("ann@example.com")


def test_a_token_does_not_confirm_a_guess() -> None:
    """Numbers can be guessed, so the plain hash must not be in it."""
    tokens = RecipientTokens(CLEAR, fallback=FALLBACK)
    token = tokens.token("+4915112345678")
    raw = token.encode() + bytes.fromhex("".join(f"{ord(each):02x}" for each in token))
    for hash_ in RowCipher(CLEAR).hashes("+4915112345678"):
        assert hash_.hex().encode() not in raw
    assert RecipientTokens(CLEAR, fallback=b"g" * 32).token("+4915112345678") != token


@each_of("token", ["", "~", "~x", "ann@example.com", "A" * 64, "~" + "A" * 64, "~é", "~====="])
def test_anything_else_is_refused(token: str) -> None:
    """Also a token of another process, which has another key."""
    with pytest.raises(UnknownToken):
        RecipientTokens(CLEAR, fallback=FALLBACK).hashes(token)
    other = RecipientTokens(CLEAR, fallback=b"g" * 32).token("ann@example.com")
    with pytest.raises(UnknownToken):
        RecipientTokens(CLEAR, fallback=FALLBACK).hashes(other)


def test_a_changed_token_is_refused() -> None:
    """A hash of the client's choice would search for it."""
    tokens = RecipientTokens(CLEAR, fallback=FALLBACK)
    token = tokens.token("ann@example.com")
    for at in range(1, len(token) - 1, 5):
        changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        with pytest.raises(UnknownToken):
            tokens.hashes(changed)
