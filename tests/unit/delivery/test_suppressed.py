"""Messages to recipients on the suppression list: no call, one end, one decision."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

import pytest
from sqlalchemy import select

from notify.arrival import Done
from notify.errors import InvalidRecipient, OptedOut, PermanentError, RecipientGone
from notify.message import Channel, Receipt, Rendered, Status
from notify.store.suppression import reason_in
from notify.store.tables import suppressions
from notify.suppression import Lift, Suppression, SuppressionReason, lift, suppress
from providers.memory import Memory
from tests.unit.delivery.test_delivery import Build, Rig, body, build, id_of

__all__ = ["build"]


def stop(rig: Rig, recipient: str, *, now: datetime) -> None:
    """Suppress a recipient."""
    item = Suppression(
        channel=Channel.EMAIL,
        reason=SuppressionReason.COMPLAINT,
        since=now,
        recipient=recipient,
    )
    with rig.store.writing() as connection:
        suppress(connection, [item], now=now)


def test_a_suppressed_recipient_gets_no_call_and_its_neighbours_do(build: Build) -> None:
    """More such messages than the lane has permits: each permit is released."""
    provider = Memory()
    rig = build(provider, concurrency=2)
    stop(rig, "eve@example.com", now=rig.clock.wall())
    stopped = [body(to="eve@example.com") for _ in range(8)]
    free = [body() for _ in range(8)]

    assert rig.deliver(*stopped, *free) == [Done()] * 16

    assert {message.to for message in provider.calls} == {"ada@example.com"}
    assert len(provider.calls) == 8
    for request in stopped:
        story = rig.story(id_of(request))
        assert (story.status, story.attempts) == (Status.SUPPRESSED, [])
        assert len(story.events) == 1
    assert rig.deliver(*stopped) == [Done()] * 8
    assert rig.delivery.in_flight() == {"normal": 0}


def test_the_rest_of_a_batch_request_is_sent(build: Build) -> None:
    """One recipient's complaint does not stop the others, the first of the batch included."""
    provider = Memory()
    rig = build(provider)
    stop(rig, "eve@example.com", now=rig.clock.wall())
    request = body(to=["eve@example.com", "ada@example.com"])
    assert rig.deliver(request) == [Done()]
    assert [message.to for message in provider.calls] == ["ada@example.com"]


class Refusing:
    """A push service whose token is gone, or a number whose owner replied STOP."""

    channel: ClassVar[Channel] = Channel.EMAIL
    sender = "+15005550006"

    def __init__(self, error: type[PermanentError]) -> None:
        """Refuse with this error."""
        self.error = error
        self.since: datetime | None = None

    def send(self, _message: Rendered, /) -> Receipt:
        """Refuse it."""
        error = self.error("memory: refused", provider="memory", code="UNREGISTERED")
        if isinstance(error, RecipientGone):
            error.since = self.since
        raise error

    def close(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize(
    ("error", "second"),
    [
        (RecipientGone, Status.SUPPRESSED),
        (OptedOut, Status.SUPPRESSED),
        (InvalidRecipient, Status.REJECTED),
        (PermanentError, Status.REJECTED),
    ],
)
def test_a_vendor_that_names_the_recipient_as_gone_suppresses_it(
    build: Build, error: type[PermanentError], second: Status
) -> None:
    """Push has no receipts; a malformed address or message suppresses no recipient."""
    rig = build(Refusing(error))
    first, other = body(), body()
    rig.deliver(first)
    assert rig.story(id_of(first)).status is Status.REJECTED
    assert rig.deliver(other) == [Done()]
    assert rig.story(id_of(other)).status is second


@pytest.mark.parametrize("lifted", [False, True])
def test_a_device_that_registered_after_the_vendors_notice_is_not_suppressed(
    build: Build, lifted: bool
) -> None:
    """Its entry was lifted later than the vendor's time stamp: that stays so."""
    provider = Refusing(RecipientGone)
    rig = build(provider)
    now = rig.clock.wall()
    if lifted:
        added = Suppression(
            channel=Channel.EMAIL,
            reason=SuppressionReason.BOUNCE,
            since=now - timedelta(days=2),
            recipient="ada@example.com",
        )
        end = Lift(
            channel=Channel.EMAIL,
            reason=SuppressionReason.BOUNCE,
            at=now - timedelta(hours=1),
            recipient="ada@example.com",
        )
        with rig.store.writing() as connection:
            suppress(connection, [added], now=now - timedelta(days=2))
            lift(connection, [end], now=now - timedelta(hours=1))
    provider.since = now - timedelta(days=1)
    rig.deliver(body())
    other = body()
    rig.deliver(other)
    assert rig.story(id_of(other)).status is (Status.REJECTED if lifted else Status.SUPPRESSED)
    if not lifted:
        with rig.store.reading() as connection:
            (row,) = connection.execute(select(suppressions)).all()
        assert row.since == provider.since


def test_an_opt_out_at_the_call_is_limited_to_the_providers_sender(build: Build) -> None:
    """Another sender may still write."""
    rig = build(Refusing(OptedOut))
    rig.deliver(body())
    with rig.store.reading() as connection:
        (row,) = connection.execute(select(suppressions)).all()
    assert (row.scope, row.reason, row.until) == ("sender:+15005550006", "opt_out", None)
    assert row.evidence == "memory UNREGISTERED"


def test_each_reason_has_its_words() -> None:
    """The metric reads the reason back from the text that the statement writes."""
    for reason in SuppressionReason:
        assert reason_in(f"suppressed: {reason}, see notify suppress show 17") is reason
