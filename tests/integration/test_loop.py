"""The loop closes: what the sandbox posts becomes the final status and the suppression list."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psutil
import pytest
import urllib3

from notify.keyring import Keyring
from notify.message import Status
from notify.publisher import Outgoing, Publisher
from notify.sandbox import ReceiptFault
from notify.store import Store
from notify.store.suppression import SuppressionFilter, find_entries
from tests.support.patience import PATIENCE
from tests.support.rig import until
from tests.support.services import Vhosts
from tests.support.up import Up

WAIT = 150.0
"""
Seconds in which a message must end, also on a loaded machine: one that reaches a worker before it
has read that a circuit is closed again is deferred for a minute.
"""


@dataclass
class Loop:
    """A running stack: publishes messages and reads how each ends."""

    up: Up
    store: Store
    publisher: Publisher

    def send(self, key: str, to: str, **fields: Any) -> UUID:
        """Publish one message, and return its id."""
        message_id = uuid4()
        words = {"text": "Hello"} if key.startswith("sms") else {"subject": "Hi", "text": "Hello"}
        body = json.dumps({"id": str(message_id), "to": to, **words, **fields}).encode()
        self.publisher.publish(Outgoing(body, routing_key=key, message_id=str(message_id)))
        return message_id

    def status(self, message_id: UUID) -> str:
        """Return a notification's status; empty before it is recorded."""
        story = self.store.get(message_id)
        return str(story.status) if story else ""

    def wait(self, message_id: UUID, status: str) -> None:
        """Wait until a notification has a status."""
        until(
            lambda: self.status(message_id) == status,
            timeout=WAIT,
            found=lambda: self.status(message_id),
        )

    def reasons(self, to: str) -> set[tuple[str, str]]:
        """Return the reasons and scopes in effect for a recipient."""
        entries = SuppressionFilter(recipient=to)
        with self.store.reading() as connection:
            found = find_entries(connection, entries, now=datetime.now(UTC), limit=10)
        return {(str(each.reason), each.scope) for each in found}

    def posts(self, message_id: UUID) -> list[tuple[str, int | str]]:
        """Return the events that the sandbox posted for a notification, and the answers."""
        url = f"{self.up.endpoints['sandbox']}/api/receipts?notify_id={message_id}"
        return [(each["event"], each["answered"]) for each in urllib3.request("GET", url).json()]

    @contextmanager
    def switched(self, **changes: Any) -> Iterator[None]:
        """Switch how the sandbox posts, for all vendors."""
        url = f"{self.up.endpoints['sandbox']}/api/behaviour"
        assert urllib3.request("PUT", url, json=changes).status == 200
        try:
            yield
        finally:
            usual = {"receipts": None, "receipt_delay": 0}
            assert urllib3.request("PUT", url, json=usual).status == 200


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory, vhosts: Vhosts) -> Iterator[Loop]:
    """A stack with the pools of email and SMS, and with receipts."""
    pools = ("--pools", "email,sms,dead,receipts", "--no-web")
    up = Up(tmp_path_factory.mktemp("loop") / "state", "--amqp", vhosts.fresh_url(), *pools)
    try:
        up.wait_ready()
        keyring = Keyring.parse((up.folder / "credentials" / "NOTIFY_KEYRING").read_text())
        store = Store.open(up.endpoints["database"], keyring=keyring)
        with closing(store), Publisher(up.endpoints["amqp"], timeout=PATIENCE) as publisher:
            yield Loop(up, store, publisher)
    finally:
        code = up.stop()
    assert code == 0, up.text


SENDER = "sender:+15005550006"
ENDS: Mapping[str, tuple[str, set[tuple[str, str]]]] = {
    "ada@sandbox.test": ("delivered", set()),
    "deferred@sandbox.test": ("delivered", set()),
    "resubscribe@sandbox.test": ("delivered", set()),
    "bounce@sandbox.test": ("bounced", {("bounce", "all")}),
    "late-bounce@sandbox.test": ("bounced", {("bounce", "all")}),
    "dropped@sandbox.test": ("bounced", {("bounce", "all")}),
    "blocked@sandbox.test": ("bounced", {("opt_out", "all")}),
    "complain@sandbox.test": ("complained", {("complaint", "all")}),
    "block@sandbox.test": ("bounced", set()),
    "+15005554001": ("delivered", set()),
    "+15005551001": ("bounced", {("bounce", "all")}),
    "+15005551401": ("bounced", set()),
    "+15005551501": ("bounced", {("opt_out", SENDER)}),
    "+15005551601": ("bounced", set()),
    "+15005551701": ("delivered", {("opt_out", SENDER)}),
    "+15005551801": ("delivered", set()),
}
"""Each scripted recipient, the status of a message to it, and the entries of the list for it."""


def _key(to: str) -> str:
    return "sms.normal.shop" if to.startswith("+") else "email.normal.shop"


@pytest.fixture(scope="module")
def firsts(loop: Loop) -> Mapping[str, UUID]:
    """One message to each recipient, published at once."""
    return {to: loop.send(_key(to), to) for to in ENDS}


@pytest.mark.parametrize("to", ENDS)
def test_each_recipient_ends_as_documented(loop: Loop, firsts: Mapping[str, UUID], to: str) -> None:
    """Only the recipient's own fault or wish suppresses; then the next message is not sent."""
    status, reasons = ENDS[to]
    loop.wait(firsts[to], status)
    until(lambda: loop.reasons(to) == reasons, timeout=WAIT, found=lambda: loop.reasons(to))
    second = loop.send(_key(to), to)
    loop.wait(second, "suppressed" if reasons else status)
    if reasons:
        assert loop.posts(second) == []
    else:
        # The sandbox records a post after its answer.
        until(lambda: loop.posts(second) != [], timeout=WAIT)


@pytest.mark.parametrize("fault", ["repeated", "reordered", "early", "poisoned"])
def test_a_fault_of_the_posts_changes_no_status(loop: Loop, fault: str) -> None:
    """Twice, in reverse, before the answer, among 1,000 elements: the statuses are the same."""
    with loop.switched(receipts=ReceiptFault(fault)):
        sent = {
            (key, f"{to}", status): loop.send(key, to)
            for key, to, status in [
                ("email.normal.shop", f"ada+{fault}@sandbox.test", "delivered"),
                ("email.normal.shop", f"bounce+{fault}@sandbox.test", "bounced"),
                ("email.normal.shop", f"complain+{fault}@sandbox.test", "complained"),
                ("sms.normal.shop", f"+150055540{_number(fault)}", "delivered"),
                ("sms.normal.shop", f"+150055510{_number(fault)}", "bounced"),
            ]
        }
        for (_, _, status), message_id in sent.items():
            loop.wait(message_id, status)
    assert loop.reasons(f"complain+{fault}@sandbox.test") == {("complaint", "all")}
    assert loop.reasons(f"ada+{fault}@sandbox.test") == set()


def _number(fault: str) -> str:
    """Return the last digits for this fault: no other test has suppressed the number."""
    return str(20 + list(ReceiptFault).index(ReceiptFault(fault)))


def test_late_receipts_are_applied(loop: Loop) -> None:
    """Until then the message is sent."""
    with loop.switched(receipt_delay=2):
        message_id = loop.send("email.normal.shop", "ada+delayed@sandbox.test")
        loop.wait(message_id, "delivered")
    story = loop.store.get(message_id)
    assert story is not None
    assert [change.status for change in story.events] == [Status.SENT, Status.DELIVERED]


def test_forged_receipts_change_nothing(loop: Loop) -> None:
    """They are refused: the messages stay sent, and no recipient is suppressed."""
    with loop.switched(receipts=ReceiptFault.FORGED):
        mail = loop.send("email.normal.shop", "bounce+forged@sandbox.test")
        sms = loop.send("sms.normal.shop", "+15005551098")
        until(
            lambda: _answers(loop.posts(mail) + loop.posts(sms)) == [403] * 4,
            timeout=WAIT,
            found=lambda: (loop.posts(mail), loop.posts(sms)),
        )
    genuine = loop.send("email.normal.shop", "ada+genuine@sandbox.test")
    loop.wait(genuine, "delivered")
    assert (loop.status(mail), loop.status(sms)) == ("sent", "sent")
    assert loop.reasons("bounce+forged@sandbox.test") == loop.reasons("+15005551098") == set()


def test_without_receipts_a_message_stays_sent(loop: Loop) -> None:
    """Silence is not a status."""
    with loop.switched(receipts=ReceiptFault.SILENT):
        silent = loop.send("email.normal.shop", "bounce+silent@sandbox.test")
        loop.wait(silent, "sent")
    loop.wait(loop.send("email.normal.shop", "ada+heard@sandbox.test"), "delivered")
    assert loop.status(silent) == "sent"


def test_a_reader_unsubscribes_from_the_newsletter_only(loop: Loop) -> None:
    """With one click: the next newsletter is not sent, and an invoice is."""
    to = "unsubscribe@sandbox.test"
    first = loop.send("email.bulk.news", to, category="newsletter")
    loop.wait(first, "delivered")
    until(lambda: bool(loop.reasons(to)), timeout=WAIT, found=lambda: loop.posts(first))
    # The sandbox records the answer a moment after the service has written the entry.
    until(
        lambda: ("one-click", 200) in loop.posts(first),
        timeout=WAIT,
        found=lambda: loop.posts(first),
    )
    assert {reason for reason, _ in loop.reasons(to)} == {"opt_out"}
    loop.wait(loop.send("email.bulk.news", to, category="newsletter"), "suppressed")
    loop.wait(loop.send("email.normal.shop", to), "delivered")


def test_a_button_of_the_inbox_reports_spam(loop: Loop) -> None:
    """A person can close the loop too."""
    message_id = loop.send("email.normal.shop", "ada+button@sandbox.test")
    loop.wait(message_id, "delivered")
    sandbox = loop.up.endpoints["sandbox"]
    query = f"notify_id={message_id}"
    [mail] = urllib3.request("GET", f"{sandbox}/api/messages?{query}").json()
    pressed = urllib3.request(
        "POST", f"{sandbox}/messages/{mail['id']}/events", body=b"event=complain", redirect=False
    )
    assert pressed.status == 303
    loop.wait(message_id, "complained")


def _answers(posts: Sequence[tuple[str, int | str]]) -> list[int | str]:
    return [answered for _, answered in posts]


def test_a_killed_intake_is_started_again_and_loses_no_receipt(loop: Loop) -> None:
    """The vendor repeats what was not answered; the message ends as if nothing had happened."""
    [intake] = [each for each in loop.up.children() if _runs(each, "web", "receipts")]
    # Stopped, the stack starts no other intake before the sandbox has tried this one.
    loop.up.process.send_signal(signal.SIGSTOP)
    try:
        intake.kill()
        message_id = loop.send("email.normal.shop", "bounce+killed@sandbox.test")
        until(
            lambda: "connect" in _answers(loop.posts(message_id)),
            timeout=WAIT,
            found=lambda: loop.posts(message_id),
        )
    finally:
        loop.up.process.send_signal(signal.SIGCONT)
    until(
        lambda: "web receipts ended with SIGKILL" in loop.up.text,
        timeout=WAIT,
        found=lambda: loop.up.text,
    )
    loop.wait(message_id, "bounced")
    assert loop.reasons("bounce+killed@sandbox.test") == {("bounce", "all")}


@pytest.mark.parametrize(
    ("provider", "to"), [("sendgrid", "suspended@sandbox.test"), ("twilio", "+15005551901")]
)
def test_a_suspended_account_opens_the_circuit(loop: Loop, provider: str, to: str) -> None:
    """Until an operator has settled it with the vendor; the recipient is not suppressed."""
    loop.send(_key(to), to)
    until(lambda: _circuits(loop)[provider] == "open", timeout=WAIT, found=lambda: _circuits(loop))
    assert loop.reasons(to) == set()
    closed = loop.up.notify("breaker", "auto", provider, "--reason", "settled with the vendor")
    assert closed.returncode == 0, closed.stderr
    loop.wait(loop.send(_key(to), to.replace("suspended", "ada").replace("19", "40")), "delivered")


def _circuits(loop: Loop) -> dict[str, str]:
    shown = loop.up.notify("breaker", "ls", "--json").stdout
    return {each["provider"]: each["state"] for each in map(json.loads, shown.splitlines())}


def _runs(process: psutil.Process, *words: str) -> bool:
    command = process.cmdline()
    return any(tuple(command[at : at + len(words)]) == words for at in range(len(command)))
