"""A provider of many messages in one call, and a delivery through it."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from queue import SimpleQueue
from typing import Any, ClassVar
from uuid import UUID, uuid4

from notify.arrival import Arrival, Decision
from notify.contract import Incoming, Limits
from notify.errors import GroupRefused, InvalidRecipient, ProviderError
from notify.flow import Flow
from notify.gateway import ConfiguredProvider, Gateway
from notify.message import Channel, Receipt, Rendered, Status
from notify.policies.retry import RetryPolicy
from notify.provider import Provider
from notify.store import Filter, Store, Story
from providers.memory import Memory
from tests.support.delivering import delivery_on
from tests.support.flowing import flow_on

LIMITS = Limits()

Answer = Receipt | ProviderError
Reply = Callable[[Sequence[Rendered]], Sequence[Answer]]


def receipts(messages: Sequence[Rendered]) -> list[Answer]:
    """Accept all, as one request whose id they share."""
    return [Receipt("request")] * len(messages)


class Bulk(Memory):
    """Accepts up to *most* messages in one call, and answers with `reply`."""

    channel: ClassVar[Channel] = Channel.EMAIL
    most: ClassVar[int] = 1000

    def __new__(cls, *_: object) -> Bulk:
        return object.__new__(cls)

    def __init__(self, reply: Reply = receipts) -> None:
        super().__init__()
        self.groups: list[Sequence[Rendered]] = []
        self.reply = reply

    @property
    def sizes(self) -> list[int]:
        """The number of messages in each call."""
        return [len(group) for group in self.groups]

    def shares(self, message: Rendered, /) -> Hashable:
        """Subjects stand for all that a request has once."""
        return message.subject

    def send(self, message: Rendered, /) -> Receipt:
        """Reply as to a group of one."""
        (answer,) = self.send_many([message])
        if isinstance(answer, ProviderError):
            raise answer
        return answer

    def send_many(self, messages: Sequence[Rendered], /) -> Sequence[Answer]:
        """Remember the group."""
        self.groups.append(messages)
        return self.reply(messages)


def refusing(*bad: str, named: int = 1000) -> Reply:
    """Refuse each request with one of these recipients, and name the first *named* of them."""

    def reply(messages: Sequence[Rendered]) -> list[Answer]:
        found = [each.to for each in messages if each.to in bad][:named]
        if not any(each.to in bad for each in messages):
            return receipts(messages)
        if len(messages) == 1:
            found = [messages[0].to]
        return [
            InvalidRecipient("no", provider="bulk", status=400)
            if each.to in found
            else GroupRefused("apart", provider="bulk", status=400)
            for each in messages
        ]

    return reply


def request(*recipients: Any, id_: UUID | None = None, **fields: Any) -> bytes:
    """A request for one recipient, or for several."""
    to = recipients[0] if len(recipients) == 1 else list(recipients)
    content = {"id": str(id_ or uuid4()), "to": to, "subject": "Hello", "text": "Hi."}
    return json.dumps({k: v for k, v in {**content, **fields}.items() if v is not None}).encode()


def people(count: int) -> list[str]:
    """So many recipients."""
    return [f"user-{number}@example.com" for number in range(count)]


class BulkRig:
    """A delivery of the lane `bulk` through one or several providers."""

    def __init__(
        self,
        store: Store,
        *providers: Provider,
        batch_size: int = 1000,
        flow: Flow | None = None,
        policy: Callable[[Gateway], RetryPolicy] | None = None,
        monotonic: Callable[[], float] | None = None,
    ) -> None:
        self.store = store
        names = [f"p{number}" for number in range(len(providers))]
        gateway = Gateway(
            Channel.EMAIL,
            [
                ConfiguredProvider(name, each, (name,))
                for name, each in zip(names, providers, strict=True)
            ],
        )
        clock: Mapping[str, Any] = {} if monotonic is None else {"monotonic": monotonic}
        self.flow = flow or flow_on(store, providers=names, **clock)
        self.delivery = delivery_on(
            store,
            gateway,
            flow=self.flow,
            policy=policy and policy(gateway),
            shares={"bulk": 1.0},
            limits=LIMITS,
            batch_size=batch_size,
            **clock,
        )
        self.delivery.start()
        self._decided: SimpleQueue[tuple[int, Decision]] = SimpleQueue()

    def deliver(self, *bodies: bytes) -> list[Decision]:
        """Deliver bodies as one batch; return the decisions in the order of the bodies."""
        self.delivery.deliver([self._arrival(*each) for each in enumerate(bodies)])
        decisions = dict(self._decided.get(timeout=60) for _ in bodies)
        return [decisions[number] for number in range(len(bodies))]

    def _arrival(self, number: int, body: bytes) -> Arrival:
        incoming = Incoming(body, "email.bulk.shop", content_type="application/json")
        return Arrival(incoming, lambda decision: self._decided.put((number, decision)))

    def counts(self) -> dict[str, int]:
        """Count all notifications by status."""
        return {status.value: n for status, n in self.store.count(Filter()).items() if n}

    def of(self, recipient: str) -> Story:
        """Read the story of one recipient."""
        (summary,) = self.store.find(Filter(recipient=recipient), limit=2)
        story = self.store.get(summary.id)
        assert story is not None
        return story

    def with_status(self, status: Status) -> set[str]:
        """Return the recipients whose notifications have a status."""
        return {each.recipient for each in self.store.find(Filter(status=status), limit=10_000)}
