"""Unknown outcomes between real workers, a real record and the vendors' stand-in."""

from __future__ import annotations

import json
import os
import random
import signal
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar
from uuid import UUID, uuid4

import pytest

from notify.errors import OutcomeUnknown
from notify.gateway import ConfiguredProvider, Gateway
from notify.message import Channel, Outcome, Receipt, Rendered, Status, Unknown
from notify.policies.retry import RetryPolicy, UnknownRules
from notify.provider import Provider
from notify.reconcile import Reconciler
from notify.reconcile.reconciler import LEASE as LOOKUP_LEASE
from notify.sandbox import Behaviour
from notify.store import Store, Story
from notify.templating import Templates
from providers.memory import Memory
from tests.support.forked import run_script
from tests.support.migrated import migrated
from tests.support.recording import LATER, LEASE, NOW, accepted, begin
from tests.support.rig import Rig, surroundings, until

LOST, HANGING, RESET = "+15005553400", "+15005553100", "+15005553300"
SMS = """
[lanes]
normal = {{ first_wait = 0.1, longest_wait = 0.2, attempts = 3 }}
[templates]
unknown = {{ login_code = "park" }}
[channels.sms]
providers = ["twilio"]
countries = ["US"]
lookup_after = 0.2
[providers.twilio]
use = "providers.twilio:Twilio"
options = {{ sender = "+15005550006", base_url = "{url}", timeout = 5, account_sid = "AC1" }}
secrets = {{ auth_token = "KEY" }}
"""
CODE = {"template": "login_code", "data": {"code": "4711", "product": "Acme", "minutes": 5}}


@pytest.fixture
def rig(tmp_path: Path, broker_url: str, store_url: str) -> Iterator[Rig]:
    """A worker's surroundings on each kind of database, with SMS, and look-ups soon."""
    with surroundings(tmp_path, broker_url=broker_url, store_url=store_url) as rig:
        _configure(rig)
        yield rig


@pytest.fixture
def sqlite_rig(tmp_path: Path, broker_url: str) -> Iterator[Rig]:
    """The same on SQLite."""
    url = f"sqlite:///{tmp_path}/notify.db"
    with surroundings(tmp_path, broker_url=broker_url, store_url=url) as rig:
        _configure(rig)
        yield rig


def _configure(rig: Rig) -> None:
    with rig.config.open("a") as config:
        config.write(SMS.format(url=rig.sandbox.url))


def _send(rig: Rig, to: str, channel: str = "sms", **fields: object) -> UUID:
    id_ = uuid4()
    content = fields or {"text": f"No. {id_}"}
    rig.publish(
        json.dumps({"id": str(id_), "to": to, **content}).encode(), f"{channel}.normal.shop"
    )
    return id_


def _story(rig: Rig, id_: UUID) -> Story:
    story = rig.store.get(id_)
    assert story is not None
    return story


def _alerts(rig: Rig, *names: str) -> list[str]:
    lines = "".join(rig.log(name) for name in names).splitlines()
    parked = [json.loads(line) for line in lines if '"notify.parked"' in line]
    assert all(line["level"] == "error" for line in parked)
    return sorted(line["id"] for line in parked)


def test_twilios_list_tells_what_was_sent_and_the_rest_is_parked(rig: Rig) -> None:
    """Two workers, three kinds of lost answers: nothing is sent twice, and parked is told once."""
    with rig.worker("sms-1", pool="sms"), rig.worker("sms-2", pool="sms"):
        lost = [_send(rig, LOST) for _ in range(4)]
        nothing = [_send(rig, to) for to in (HANGING, RESET, RESET)]
        until(lambda: {rig.status(id_) for id_ in lost} == {Status.SENT})
        until(lambda: len(_alerts(rig, "sms-1", "sms-2")) == len(nothing))
        assert not rig.waiting("notify.sms.normal")
    assert {rig.status(id_) for id_ in nothing} == {Status.UNKNOWN}
    assert _alerts(rig, "sms-1", "sms-2") == sorted(map(str, nothing))
    sent = {message.provider_id for message in rig.sandbox.messages()}
    assert len(sent) == len(lost)
    assert {_story(rig, id_).attempts[0].provider_id for id_ in lost} == sent
    assert len(rig.sandbox.ledger.entries()) == len(lost) + len(nothing)
    for id_ in nothing:
        assert [attempt.outcome for attempt in _story(rig, id_).attempts] == [Outcome.UNKNOWN]


def test_a_list_that_is_away_is_waited_for(sqlite_rig: Rig) -> None:
    """Twilio's outage meets the look-up too; when it is over, the message is found."""
    rig = sqlite_rig
    rig.sandbox.switch.set(behaviour=Behaviour.LOST)
    with rig.worker("sms", pool="sms"):
        id_ = _send(rig, "+15005550100")
        until(lambda: bool(rig.sandbox.messages()))
        rig.sandbox.switch.set(behaviour=Behaviour.DOWN)
        until(lambda: "notify.lookup_failed" in rig.log("sms"))
        assert rig.status(id_) is Status.UNKNOWN
        rig.sandbox.switch.set(behaviour=None)
        until(lambda: rig.status(id_) is Status.SENT)
    assert len(rig.sandbox.messages()) == 1


def test_a_lost_email_is_sent_again_and_marked(rig: Rig) -> None:
    """SendGrid cannot be asked: the rule is to resend, and the record says what that means."""
    with rig.worker():
        id_ = rig.request(to="lost@sandbox.test")
        until(lambda: rig.status(id_) is Status.QUEUED or len(rig.sandbox.messages()) > 1)
        until(lambda: len(rig.sandbox.messages()) > 1)
        rig.sandbox.switch.set(behaviour=Behaviour.DELIVER)
        until(lambda: rig.status(id_) in (Status.SENT, Status.UNKNOWN))
    story = _story(rig, id_)
    assert story.summary.possible_duplicate
    assert len(story.attempts) == len(rig.sandbox.messages()) > 1
    assert story.attempts[0].outcome is Outcome.UNKNOWN
    shown = rig.notify("show", str(id_), "--json")
    assert json.loads(shown.out)["possible_duplicate"] is True


def test_a_template_may_forbid_to_send_again(sqlite_rig: Rig) -> None:
    """A login code is parked on the channel that resends everything else."""
    rig = sqlite_rig
    with rig.worker():
        id_ = _send(rig, "lost@sandbox.test", "email", **CODE)
        until(lambda: rig.status(id_) is Status.UNKNOWN)
        other = rig.request()
        until(lambda: rig.status(other) is Status.SENT)
    assert _alerts(rig, "email") == [str(id_)]
    assert len(rig.sandbox.messages(to="lost@sandbox.test")) == 1


def test_an_operators_decision_sends_what_was_parked(sqlite_rig: Rig) -> None:
    """Parked, found out not to have been sent, tried again: once."""
    rig = sqlite_rig
    with rig.worker("sms", pool="sms"):
        id_ = _send(rig, RESET)
        until(lambda: bool(_alerts(rig, "sms")))
        rig.sandbox.switch.set(behaviour=Behaviour.DELIVER)
        told = rig.notify("resolve", str(id_), "--not-sent", "--reason", "not in the log")
        assert str(id_) in told.out
        until(lambda: rig.status(id_) is Status.SENT)
    story = _story(rig, id_)
    assert [attempt.outcome for attempt in story.attempts] == [Outcome.NOT_SENT, Outcome.ACCEPTED]
    assert not story.summary.possible_duplicate
    assert len(rig.sandbox.messages()) == 1


KILLED = """
import os, signal, sys
from datetime import datetime
from tests.integration.test_unknown import Killed, reconciler_of
from notify.store import Store

reconciler_of(Store.open(sys.argv[1]), Killed(), datetime.fromisoformat(sys.argv[2])).reconcile()
"""


class Killed(Memory):
    """A provider whose list has been read when the process is killed."""

    channel: ClassVar[Channel] = Channel.SMS
    can_find: ClassVar[bool] = True

    def __new__(cls) -> Killed:
        return object.__new__(cls)

    def find(self, message: Rendered, /, *, since: datetime, until: datetime) -> list[Receipt]:
        """Die in the moment of knowing."""
        os.kill(os.getpid(), signal.SIGKILL)
        return super().find(message, since=since, until=until)


def reconciler_of(store: Store, provider: Provider, now: datetime) -> Reconciler:
    """A reconciler at a given time."""
    gateway = Gateway(Channel.SMS, [ConfiguredProvider("sendgrid", provider)])
    rules = RetryPolicy(
        lanes={},
        unknown=UnknownRules({Channel.SMS: Unknown.PARK}),
        lookups={Channel.SMS: LEASE},
        rng=random.Random(7),
    )
    return Reconciler(
        store=store, templates=Templates(), gateway=gateway, policy=rules, clock=lambda: now
    )


def test_a_kill_between_look_up_and_record_costs_a_minute(store_url: str) -> None:
    """kill -9 when the list has been read: no other worker asks during its lease, then one does."""
    store = migrated(store_url)
    provider = Memory(channel="sms", script={LOST: ["unknown"]}, clock=lambda: NOW)
    id_ = uuid4()
    body = json.dumps({"id": str(id_), "to": LOST, "text": "Hi."}).encode()
    entry = begin(store, id=id_, channel=Channel.SMS, to=LOST, body=body)
    assert entry.attempt_id is not None
    with suppress(OutcomeUnknown):
        provider.send(Rendered(id_, entry.attempt_id, LOST, text="Hi."))
    unknown = {"outcome": Outcome.UNKNOWN, "status": Status.UNKNOWN, "provider_id": None}
    store.record([accepted(entry, due_at=LATER, **unknown)])

    assert run_script(KILLED, store_url, LATER.isoformat()) == -signal.SIGKILL
    held = LATER + LOOKUP_LEASE - timedelta(microseconds=1)
    assert not reconciler_of(store, provider, held).reconcile()
    assert reconciler_of(store, provider, LATER + LOOKUP_LEASE).reconcile()
    story = store.get(id_)
    assert story is not None
    assert (story.status, story.attempts[0].outcome) == (Status.SENT, Outcome.ACCEPTED)
    store.close()
