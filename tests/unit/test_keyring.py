"""The keyring: what it takes, seals and opens."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.errors import ConfigError, Sealed
from notify.keyring import CLEAR, Keyring
from notify.settings import PrivacySettings, keyring_of
from tests.support.sealing import KEYRING, NEWER
from tests.support.tables import each_of

KEY, OTHER, HASH = (base64.b64encode(each * 32).decode() for each in (b"1", b"2", b"3"))


def test_the_first_key_seals_and_all_open() -> None:
    """In the form in which `notify keyring new` prints it, between commas, or in one line."""
    for gap in ("\n", ",", "  ", "\r\n\n"):
        ring = Keyring.parse(gap.join([f"b:{KEY}", f"hash:{HASH}", f"a:{OTHER}"]))
        assert (ring.current, ring.names) == ("b", ["b", "a"])
    assert KEY not in repr(ring)


@each_of(
    ("text", "told"),
    [
        (f"a:{KEY}", "it lacks a key named hash"),
        (f"hash:{HASH}", "it lacks a key besides hash"),
        (f"a:{KEY} a:{OTHER} hash:{HASH}", "two keys are named a"),
        (f"a:{KEY} hash:{KEY}", "one key under two names"),
        (f"a:{KEY} {OTHER} hash:{HASH}", "line 2 is not id:key"),
        (f"A:{KEY} hash:{HASH}", "line 1 is not id:key"),
        (f"a:{KEY[:-4]} hash:{HASH}", "the key a is not 32 bytes in base64"),
        (f"a:secret! hash:{HASH}", "the key a is not 32 bytes in base64"),
    ],
)
def test_what_is_no_keyring_is_told_without_a_key(text: str, told: str) -> None:
    """With the command that makes one."""
    with pytest.raises(ConfigError, match=told) as caught:
        Keyring.parse(text)
    assert str(caught.value).startswith("NOTIFY_KEYRING: ")
    assert not any(key in str(caught.value) for key in (KEY, OTHER, HASH, "secret"))


@given(value=st.binary(max_size=200))
def test_what_one_ring_seals_another_with_the_key_opens(value: bytes) -> None:
    """Never twice into the same bytes; and hashes outlive the change of the key."""
    sealed = KEYRING.seal(value, about=b"row")
    assert NEWER.unseal(sealed, key="k1", about=b"row") == value
    assert KEYRING.seal(value, about=b"row") != sealed
    assert NEWER.hashed("kind", value) == KEYRING.hashed("kind", value)
    assert len({ring.hashed(kind, value) for ring in (CLEAR, KEYRING) for kind in "ab"}) == 4


@given(place=st.integers(0, 60), bit=st.integers(0, 7))
def test_what_was_changed_does_not_open(place: int, bit: int) -> None:
    """Be it one bit, that of the mark included."""
    sealed = bytearray(KEYRING.seal(b"x" * 28, about=b"row", mark=b"\1"))
    assert sealed[0] == 1
    sealed[place] ^= 1 << bit
    with pytest.raises(Sealed, match="k1"):
        KEYRING.unseal(bytes(sealed), key="k1", about=b"row")


def test_what_belongs_elsewhere_does_not_open() -> None:
    """A sealed value that was moved to another row or column is of no use there."""
    with pytest.raises(Sealed):
        KEYRING.unseal(KEYRING.seal(b"x", about=b"here"), key="k1", about=b"there")


def test_a_missing_key_is_named() -> None:
    """So that an operator can add it."""
    with pytest.raises(Sealed, match="the key k2, which the keyring lacks") as caught:
        KEYRING.unseal(NEWER.seal(b"x", about=b""), key="k2", about=b"")
    assert caught.value.key == "k2"


def test_where_a_keyring_is_required_none_is_a_mistake() -> None:
    """A worker that would write in clear does not start."""
    assert keyring_of(PrivacySettings(), environ={}) is CLEAR
    ring = keyring_of(
        PrivacySettings(require_keyring=True), environ={"NOTIFY_KEYRING": f"a:{KEY},hash:{HASH}"}
    )
    assert ring.current == "a"
    with pytest.raises(ConfigError, match="no value for NOTIFY_KEYRING"):
        keyring_of(PrivacySettings(require_keyring=True), environ={"NOTIFY_KEYRING": " "})
