"""Keys of the API: made, found by their secret, replaced, revoked."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest

from notify.apikeys import (
    PREFIX,
    KeyDirectory,
    KeyLimits,
    KeyScope,
    issue_key,
    key_limit,
    list_keys,
    revoke_key,
    rotate_key,
)
from notify.errors import NotifyError, StoreError
from notify.flow import Limiter
from notify.store import ActFilter, Actor, Store, find_acts
from notify.store.apikeys import find_keys
from tests.support.clocks import Clock

ANN = Actor("ann@ops-1", "ticket 4711")


class _Seconds:
    """A clock of a test."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def _issue(store: Store, source: str = "shop", **options: object) -> tuple[int, str]:
    issued = issue_key(
        store,
        **{
            "source": source,
            "scopes": [KeyScope.SEND],
            "name": "checkout",
            "expires_at": None,
            "actor": ANN,
            **options,  # type: ignore[arg-type]
        },
    )
    return issued.key.id, issued.secret


def _directory(store: Store, seconds: _Seconds | None = None) -> KeyDirectory:
    directory = KeyDirectory(store, monotonic=seconds or _Seconds())
    directory.refresh()
    return directory


def test_the_record_has_a_hash_and_never_the_key(store: Store) -> None:
    """A copy of the record permits no sending."""
    _, secret = _issue(store)
    assert secret.startswith(PREFIX)
    assert len(secret) >= len(PREFIX) + 43
    with store.reading() as connection:
        [row] = find_keys(connection)
        dump = "\n".join(connection.connection.driver_connection.iterdump())  # type: ignore[union-attr]
    assert row.hash == hashlib.sha256(secret.encode()).digest()
    assert secret not in dump


def test_each_act_is_in_the_audit_without_the_key(store: Store) -> None:
    """New, rotate and revoke; a secret in the audit would outlive its key."""
    id_, secret = _issue(store)
    issued = rotate_key(store, id_, overlap=timedelta(hours=1), actor=ANN)
    revoke_key(store, issued.key.id, ANN)
    with store.reading() as connection:
        acts = find_acts(connection, ActFilter(), limit=10)
    assert {act.action for act in acts} == {"key.new", "key.rotate", "key.revoke"}
    assert all(secret not in str(act) and issued.secret not in str(act) for act in acts)


def test_a_key_is_found_by_its_whole_secret_only(store: Store) -> None:
    """Not by a beginning, another case or a wrong end."""
    id_, secret = _issue(store)
    directory = _directory(store)
    found = directory.find(secret)
    assert found is not None
    assert (found.id, found.source, found.scopes) == (id_, "shop", frozenset({KeyScope.SEND}))
    for wrong in (secret[:-1], secret + "x", secret.upper(), "", PREFIX, "\udcff"):
        assert directory.find(wrong) is None


def test_a_replaced_key_is_valid_beside_its_successor_until_the_overlap_ends(store: Store) -> None:
    """Two live at once, no third; the program that has the old one is not cut off."""
    id_, secret = _issue(store)
    issued = rotate_key(store, id_, overlap=timedelta(hours=1), actor=ANN)
    assert (issued.key.source, issued.key.scopes) == ("shop", frozenset({KeyScope.SEND}))
    assert issued.key.replaces == id_
    seconds = _Seconds()
    directory = _directory(store, seconds)
    assert directory.find(secret) is not None
    assert directory.find(issued.secret) is not None
    with pytest.raises(NotifyError, match=f"replaced by key {issued.key.id}: rotate that one"):
        rotate_key(store, id_, overlap=timedelta(hours=1), actor=ANN)
    seconds.now += 3601
    assert directory.find(secret) is None, "it expires without a read of the record"
    assert directory.find(issued.secret) is not None


def test_a_key_with_an_end_is_replaced_by_one_of_the_same_life(store: Store) -> None:
    """A key for 90 days does not become one without an end."""
    id_, _ = _issue(store, expires_at=store.clock() + timedelta(days=90))
    issued = rotate_key(store, id_, overlap=timedelta(days=365), actor=ANN)
    ends = issued.key.expires_at
    assert ends is not None
    assert timedelta(days=89) < ends - store.clock() <= timedelta(days=90)
    [old, _] = list_keys(store)
    assert old.expires_at is not None
    assert old.expires_at <= ends, "the overlap does not make the old one live longer"


def test_a_revoked_key_is_refused_after_the_next_read(store: Store) -> None:
    """And can be neither revoked nor replaced again."""
    id_, secret = _issue(store)
    seconds = _Seconds()
    directory = _directory(store, seconds)
    revoke_key(store, id_, ANN)
    seconds.now += 1
    directory.refresh()
    assert directory.find(secret) is None
    assert (list_keys(store), len(list_keys(store, ended=True))) == ([], 1)
    with pytest.raises(NotifyError, match="was revoked"):
        revoke_key(store, id_, ANN)
    with pytest.raises(NotifyError, match="there is no key 99"):
        revoke_key(store, 99, ANN)


def test_those_that_wait_for_a_read_that_fails_share_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else requests with an unknown key occupy all connections while the record is slow."""
    seconds = _Seconds()
    directory = _directory(store, seconds)
    reads = []

    def away() -> None:
        reads.append(seconds.now)
        seconds.now += 5
        raise StoreError("the record does not answer")

    monkeypatch.setattr(store, "clock", away)
    seconds.now += 1
    for _ in range(3):
        with pytest.raises(StoreError, match="does not answer"):
            directory.refresh()
    assert len(reads) == 1
    monkeypatch.undo()
    seconds.now += 1
    directory.refresh()
    directory.refresh()


def test_the_last_use_is_written_once_a_minute(store: Store) -> None:
    """Not with each request: that would be a write for each."""
    _, secret = _issue(store)
    seconds = _Seconds()
    directory = _directory(store, seconds)
    directory.find(secret)
    seconds.now += 2
    directory.refresh()
    assert list_keys(store)[0].used_at is None
    seconds.now += 60
    directory.refresh()
    used_at = list_keys(store)[0].used_at
    assert used_at is not None
    assert used_at.second == 0


def test_each_key_has_a_limit_of_its_own(store: Store) -> None:
    """One key that is used up does not stop another; the units come back with time."""
    clock = Clock()
    clock.keep(store)
    first, second = (_issue(store, source)[0] for source in ("shop", "crm"))
    keys = {each.id: each for each in list_keys(store)}
    limits = KeyLimits(Limiter(store, key_limit(10, 20), monotonic=clock))
    granted = limits.use(keys[first], 20)
    assert (granted.granted, granted.most, granted.window) == (True, 20, 2)
    refused = limits.use(keys[first], 5)
    assert not refused.granted
    assert 0.3 < refused.wait <= 0.6
    assert refused.left == 0
    assert limits.use(keys[second], 20).granted
