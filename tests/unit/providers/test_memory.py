"""The provider that remembers: its script and its memory."""

from __future__ import annotations

from dataclasses import replace

import pytest

from notify.errors import OutcomeUnknown, ProviderError, Throttled, TransientError
from notify.message import Channel
from notify.provider import Provider
from providers.memory import Memory
from tests.unit.providers.dialects import MESSAGE, TO


@pytest.mark.parametrize("channel", list(Channel))
def test_it_stands_for_any_channel(channel: Channel) -> None:
    """As a value of its class, as the contract asks, and still a Memory."""
    provider: Provider = Memory(channel=channel)
    assert provider.channel == type(provider).channel == channel
    assert isinstance(provider, Memory)


def test_it_stands_for_email_unless_told() -> None:
    """The channel that most tests need."""
    assert Memory().channel is Channel.EMAIL


def test_replies_come_in_order_and_the_last_stays() -> None:
    """A vendor that works once and then asks for patience is one line."""
    provider = Memory(script={TO: ["transient", "accepted", "throttled"]}, retry_after=3.0)
    with pytest.raises(TransientError):
        provider.send(MESSAGE)
    provider.send(MESSAGE)
    for _ in range(2):
        with pytest.raises(Throttled) as caught:
            provider.send(MESSAGE)
        assert caught.value.retry_after == 3.0
    assert len(provider.calls) == 4
    assert len(provider.sent) == 1


def test_a_lost_answer_still_took_the_message() -> None:
    """The case that sends twice where it is treated as a failure."""
    provider = Memory(script={TO: ["unknown"]})
    with pytest.raises(OutcomeUnknown):
        provider.send(MESSAGE)
    assert provider.sent == (MESSAGE,)


def test_other_recipients_are_not_in_the_script() -> None:
    """They are accepted, and remembered after the end."""
    provider = Memory(script={TO: ["invalid"]})
    other = replace(MESSAGE, to="other@example.org")
    provider.send(other)
    with pytest.raises(ProviderError):
        provider.send(MESSAGE)
    provider.close()
    assert provider.sent == (other,)
    assert provider.calls == (other, MESSAGE)


def test_a_word_it_does_not_know_is_refused() -> None:
    """A typing error in a script is found at once."""
    with pytest.raises(ValueError, match="sometimes"):
        Memory(script={TO: ["sometimes"]})
    with pytest.raises(ValueError, match="pigeon"):
        Memory(channel="pigeon")
