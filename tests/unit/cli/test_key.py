"""`notify key`: keys of the API, printed once."""

from __future__ import annotations

import json

from notify.store import Store
from tests.support.commands import Notify


def test_a_key_is_printed_once_and_listed_without_it(notify: Notify, store: Store) -> None:
    """Standard output has the key alone, so that a shell can take it."""
    made = notify("key", "new", "--source", "shop", "--name", "checkout", "--reason", "ticket 1")
    assert made.code == 0, made.err
    secret = made.out.strip()
    assert secret.startswith("notify_")
    assert "key 1 of shop may read, send; it is not shown again" in made.err
    listed = notify("key", "ls")
    assert secret not in listed.out
    assert "checkout" in listed.out
    [line] = notify("key", "ls", "--json").out.splitlines()
    shown = json.loads(line)
    assert (shown["id"], shown["scopes"], shown["used_at"]) == (1, ["read", "send"], None)
    assert store is not None


def test_a_key_is_replaced_and_revoked(notify: Notify, store: Store) -> None:
    """As JSON, with the key as `key`."""
    made = json.loads(
        notify(
            *("key", "new", "--source", "shop", "--scope", "suppress", "--for", "90d"),
            *("--reason", "ticket 1", "--json"),
        ).out
    )
    assert made["key"].startswith("notify_")
    assert made["expires_at"] is not None
    rotated = json.loads(notify("key", "rotate", 1, "--reason", "yearly", "--json").out)
    assert (rotated["replaces"], rotated["scopes"]) == (1, ["suppress"])
    assert rotated["key"] != made["key"]
    assert notify("key", "revoke", 1, "--reason", "done").out == "key 1 of shop is revoked\n"
    again = notify("key", "revoke", 1, "--reason", "done")
    assert (again.code, "was revoked" in again.err) == (1, True)
    assert "revoked" in notify("key", "ls", "--all").out
    assert store is not None


def test_a_source_that_no_routing_key_can_name_is_refused(notify: Notify, store: Store) -> None:
    """Its messages would be dead letters."""
    done = notify("key", "new", "--source", "Shop!", "--reason", "x")
    assert (done.code, "write a-z, 0-9" in done.err) == (2, True)
    assert notify("key", "new", "--source", "shop", "--reason", " ").code == 2
    assert store is not None
