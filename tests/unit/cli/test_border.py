"""Foreign text, in every command that shows it."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from notify.message import Outcome, Status
from notify.store import Record, Store
from notify.telemetry.terminal import escaped
from tests.support.burying import arrival, body_of, bury
from tests.support.commands import Notify
from tests.support.recording import NOW, begin

HOSTILE = "\x1b]0;title\x07\x1b[31m\x7f\x9b2J\u202eevil\u2066\u200b\nforged"


@pytest.fixture
def planted(store: Store) -> UUID:
    """A notification and dead letters with such text in every field that has room for it."""
    entry = begin(store, template=HOSTILE[:60], source=HOSTILE[:60], idempotency_key=HOSTILE)
    ended = Record(
        entry.notification.id,
        entry.attempt_id or UUID(int=0),
        NOW,
        Outcome.NOT_SENT,
        Status.REJECTED,
        provider_id=HOSTILE,
        code=HOSTILE[:60],
        reason=HOSTILE,
    )
    store.record([ended])
    headers = {"x-death": [{"reason": HOSTILE, "queue": HOSTILE, "exchange": HOSTILE}]}
    bury(store, arrival(HOSTILE.encode(), key=f"email.normal.{HOSTILE}", headers=headers))
    bury(store, arrival(body_of(UUID(int=7), subject=HOSTILE), message_id=HOSTILE))
    return entry.notification.id


COMMANDS = [
    ("ls",),
    ("ls", "--json"),
    ("show", "{id}"),
    ("show", "{id}", "--json"),
    ("dead", "ls"),
    ("dead", "ls", "--json"),
    ("dead", "show", "1"),
    ("dead", "show", "2"),
    ("dead", "show", "1", "--json"),
    ("dead", "show", "2", "--json", "--show-recipients"),
    ("dead", "plan"),
    ("dead", "plan", "--json"),
    ("events",),
    ("events", "--json"),
    ("ledger",),
    ("cancel", "{id}"),
    ("ls", "--template", HOSTILE),
    ("breaker", "open", HOSTILE, "--reason", "x"),
    ("template", "preview", HOSTILE),
    ("schema", HOSTILE),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command)[:30])
def test_no_command_lets_a_stranger_steer_the_terminal(
    notify: Notify, planted: UUID, command: tuple[str, ...]
) -> None:
    """Neither on standard output nor in an error; a program gets JSON that is the same."""
    done = notify(*(word.format(id=planted) for word in command))
    assert escaped(done.out) == done.out
    assert escaped(done.err) == done.err
    assert not any(line.startswith("forged") for line in done.out.splitlines())
    if "--json" in command:
        assert [json.loads(line) for line in done.out.splitlines()]
