"""`notify keyring`, as an operator calls it."""

from __future__ import annotations

from functools import partial

import pytest

from notify.keyring import Keyring, new_key
from notify.store import Store
from tests.support.commands import Notify
from tests.support.planting import sent

HASH = f"hash:{new_key()}"
FIRST, SECOND = f"first:{new_key()}", f"second:{new_key()}"


@pytest.fixture
def notify(notify: Notify) -> Notify:
    """Call `notify keyring` as the console script does."""
    return partial(notify, "keyring")


def test_a_new_keyring_can_be_used_and_a_new_key_added(
    notify: Notify, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It prints the credential; if there is one already, it prints the line to add."""
    first = notify("new", "first").out
    assert Keyring.parse(first).names == ["first"]
    monkeypatch.setenv("NOTIFY_KEYRING", first)
    added = notify("new").out
    assert len(added.splitlines()) == 1
    assert len(Keyring.parse(first + added).names) == 2
    done = notify("new", "first")
    assert (done.code, done.out) == (1, "")
    assert "has a key named first already" in done.err
    assert notify("new", "hash").code == 2


def test_a_key_is_rotated_by_the_steps_in_the_help(
    store: Store, notify: Notify, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`check` counts the rows, and `rotate` names the key to remove."""
    sent(store)
    rows = []
    for ring in (FIRST, f"{FIRST} {SECOND}", f"{SECOND} {FIRST}"):
        monkeypatch.setenv("NOTIFY_KEYRING", f"{ring} {HASH}")
        rows.append([line.split()[:4] for line in notify("check").out.splitlines()[1:]])
        assert notify("rotate", "--reason", "INC-7").code == 0
    assert rows == [
        [["first", "0", "0", "seals"], ["(in", "clear)", "1", "0"]],
        [["first", "1", "0", "seals"], ["second", "0", "0", "opens;"], ["(in", "clear)", "0", "0"]],
        [["second", "0", "0", "seals"], ["first", "1", "0", "opens"], ["(in", "clear)", "0", "0"]],
    ]
    monkeypatch.setenv("NOTIFY_KEYRING", f"{SECOND} {HASH}")
    assert notify("check").code == 0


def test_a_keyring_that_lacks_a_key_is_refused_by_its_name(
    store: Store, notify: Notify, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By every command on the record, as by a worker."""
    sent(store)
    monkeypatch.setenv("NOTIFY_KEYRING", f"{FIRST} {HASH}")
    notify("rotate")
    monkeypatch.setenv("NOTIFY_KEYRING", f"{SECOND} {HASH}")
    done = notify("check")
    assert done.code == 1
    assert done.err == (
        "notify: the record is sealed with the key first: add it to NOTIFY_KEYRING\n"
    )
    monkeypatch.delenv("NOTIFY_KEYRING")
    assert "there is no NOTIFY_KEYRING" in notify("rotate").err
