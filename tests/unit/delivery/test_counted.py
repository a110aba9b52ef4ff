"""The units that a vendor counts of a message are in its timeline."""

from __future__ import annotations

from typing import ClassVar
from uuid import uuid4

import pytest

from notify.delivery.call import send
from notify.gateway import ConfiguredProvider
from notify.message import Channel, Receipt, Rendered


class Accepting:
    """Accepts every SMS."""

    channel: ClassVar[Channel] = Channel.SMS

    def send(self, message: Rendered, /) -> Receipt:
        """Accept it."""
        return Receipt(str(message.attempt_id))

    def close(self) -> None:
        """Do nothing."""


class AcceptingEmail(Accepting):
    """Accepts every email."""

    channel: ClassVar[Channel] = Channel.EMAIL


class AcceptingPush(Accepting):
    """Accepts every push message."""

    channel: ClassVar[Channel] = Channel.PUSH


@pytest.mark.parametrize(
    ("provider", "text", "reason"),
    [
        (Accepting(), "x" * 161, "2 segments"),
        (Accepting(), "Привет" * 40, "4 segments"),
        (Accepting(), "Hello", None),
        (AcceptingEmail(), "x" * 5000, None),
        (AcceptingPush(), "x" * 500, None),
    ],
)
def test_the_segments_of_a_long_sms_are_on_record(
    provider: Accepting, text: str, reason: str | None
) -> None:
    """One segment is what everyone expects, so it is not said."""
    message = Rendered(notification_id=uuid4(), attempt_id=uuid4(), to="x", text=text)
    (result,) = send(ConfiguredProvider("it", provider), [message])
    assert result.reason == reason
