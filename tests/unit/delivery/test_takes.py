"""Each address goes to a provider that takes it, in the order of the configuration."""

from __future__ import annotations

import random
from typing import ClassVar

from notify.gateway import ConfiguredProvider, Gateway
from notify.message import Channel, Receipt, Rendered
from notify.provider import TakesAddresses
from providers.apns import Apns
from providers.fcm import Fcm
from tests.support.tables import each_of

DEVICE, TOKEN = "0a" * 32, "c:APA91b-x_y"


class AnyAddress:
    """A push service that takes every address."""

    channel: ClassVar[Channel] = Channel.PUSH

    def send(self, message: Rendered, /) -> Receipt:
        """Accept it."""
        return Receipt(str(message.attempt_id))

    def close(self) -> None:
        """Do nothing."""


class Hexadecimal(AnyAddress):
    """A push service for the tokens of Apple."""

    takes = staticmethod(Apns.takes)


class Firebase(AnyAddress):
    """A push service for the tokens of FCM."""

    takes = staticmethod(Fcm.takes)


def gateway(*names: str, weights: dict[str, float] | None = None) -> Gateway:
    """Return a gateway to providers of these names."""
    kinds = {"apns": Hexadecimal, "fcm": Firebase, "any": AnyAddress}
    providers = [ConfiguredProvider(name, kinds[name]()) for name in names]
    return Gateway(Channel.PUSH, providers, weights=weights, rng=random.Random(1))


@each_of(
    ("names", "to", "expected"),
    [
        (("fcm", "apns"), DEVICE, ["apns"]),
        (("fcm", "apns"), TOKEN, ["fcm"]),
        (("apns", "any", "fcm"), TOKEN, ["any", "fcm"]),
        (("apns", "any"), DEVICE, ["apns", "any"]),
        (("apns",), TOKEN, ["apns"]),
        (("fcm", "apns"), "https://push.example.com/x#p256dh=a&auth=b", ["fcm", "apns"]),
    ],
)
def test_only_those_that_take_an_address_are_tried(
    names: tuple[str, ...], to: str, expected: list[str]
) -> None:
    """If none takes it, the first one is called and refuses the message."""
    assert [each.name for each in gateway(*names).order(to)] == expected


def test_a_provider_with_addresses_of_its_own_is_no_reserve() -> None:
    """The limit of failover does not apply to it."""
    assert gateway("fcm", "apns").reserve == ()
    assert [each.name for each in gateway("any", "any").reserve] == ["any"]


def test_weights_count_among_those_that_take_it() -> None:
    """A provider that is drawn and does not take the address sends nothing."""
    drawn = gateway("apns", "any", "fcm", weights={"apns": 50, "any": 50, "fcm": 0})
    firsts = {drawn.order(TOKEN)[0].name for _ in range(50)}
    assert firsts == {"any"}
    assert {drawn.order(DEVICE)[0].name for _ in range(50)} == {"apns", "any"}


def test_the_push_providers_have_the_optional_part() -> None:
    """By the protocol of `notify.provider`."""
    assert issubclass(Apns, TakesAddresses)
    assert issubclass(Fcm, TakesAddresses)
