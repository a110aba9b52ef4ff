"""`notify hold` counts what waits in a real RabbitMQ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import amqp
import pytest

from notify.cli.flow.holds_view import effects
from notify.message import Channel
from notify.policies.holds import Hold, Scope
from notify.settings import Settings, load
from notify.status.holds import alternatives, count_held
from notify.store import Store
from notify.topology import queue_name
from tests.support.migrated import migrated


@pytest.fixture
def settings(broker_url: str, tmp_path: Path) -> Settings:
    """Settings for this test's broker and record, with SMS through one provider."""
    config = tmp_path / "notify.toml"
    config.write_text(
        "[channels.sms]\n"
        'providers = ["only"]\n'
        'countries = ["DE"]\n'
        "[providers]\n"
        'only = { use = "providers.memory:Memory", options = { channel = "sms" } }\n'
    )
    environ = {
        "NOTIFY_AMQP__URL": broker_url,
        "NOTIFY_STORE__URL": f"sqlite:///{tmp_path}/notify.db",
    }
    return load(config, environ=environ)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """An empty record."""
    store = migrated(settings.store.url.get_secret_value())
    yield store
    store.close()


@pytest.fixture
def channel(channel: amqp.Channel) -> amqp.Channel:
    """A broker with messages in three queues."""
    channel.confirm_select()
    for lane, number in (("critical", 1), ("normal", 3)):
        for _ in range(number):
            name = queue_name(Channel.SMS, lane)
            channel.basic_publish_confirm(amqp.Message(b"{}"), "", name)
    channel.basic_publish_confirm(amqp.Message(b"{}"), "", queue_name(Channel.EMAIL, "normal"))
    return channel


@pytest.mark.usefixtures("channel")
@pytest.mark.parametrize(
    ("scope", "words"),
    [
        (
            Scope(channel=Channel.SMS),
            "4 (1 in notify.sms.critical, 3 in notify.sms.normal)",
        ),
        (Scope(lane="normal"), "4 (1 in notify.email.normal, 3 in notify.sms.normal)"),
        (Scope(channel=Channel.PUSH), "0"),
        (
            Scope(channel=Channel.SMS, lane="normal", source="crm"),
            "at most 3 (3 in notify.sms.normal)",
        ),
        (Scope(channel=Channel.PUSH, template="code"), "0"),
        (Scope(provider="only"), "4 (1 in notify.sms.critical, 3 in notify.sms.normal)"),
    ],
)
def test_messages_are_counted_in_the_queues_that_a_hold_concerns(
    settings: Settings, store: Store, scope: Scope, words: str
) -> None:
    """For a source or template the count is an upper bound: a queue does not know them."""
    others = alternatives(settings, [], scope.provider) if scope.provider else {}
    held = count_held(settings, store, scope, others=others)
    hold = Hold(**asdict(scope), id=1, actor="ann", reason="why", since=0)
    assert f"waiting in RabbitMQ: {words}" in list(effects(hold, held, {}))


def test_a_queue_that_is_not_there_counts_as_empty(
    settings: Settings, store: Store, channel: amqp.Channel
) -> None:
    """A lane without its queue yet does not keep operators from holding the others."""
    channel.queue_delete(queue_name(Channel.SMS, "critical"))
    held = count_held(settings, store, Scope(channel=Channel.SMS), others={})
    assert held.queues is not None
    assert sorted(held.queues.values()) == [0, 0, 3]
