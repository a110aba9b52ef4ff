"""Asking a vendor whether our key is good: the contract of `check`, against the sandbox."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from notify.errors import OutcomeUnknown, ProviderError, TransientError, Unauthorized
from notify.provider import Checkable
from notify.sandbox import Sandbox
from providers.fcm import Fcm
from providers.memory import Memory
from providers.sendgrid import SendGrid
from providers.twilio import Twilio
from providers.vonage import Vonage
from tests.support.vendor import Vendor, hang_up, say
from tests.unit.providers.dialects import json_reply, service_account

Make = Callable[[str, str], Any]
"""Builds a provider for a server at this address, with this key."""


def _fcm(url: str, key: str) -> Fcm:
    account = json.loads(service_account()) | {"client_email": f"{key}@example.com"}
    key_file = json.dumps(account)
    return Fcm(service_account=key_file, project="demo", token_uri=f"{url}/token", base_url=url)


def _twilio(url: str, key: str, **options: Any) -> Twilio:
    return Twilio(account_sid="AC1", auth_token=key, sender="+15005550006", base_url=url, **options)


def _twilio_by_api_key(url: str, key: str) -> Twilio:
    return _twilio(url, key, api_key_sid="SK1")


def _sendgrid(url: str, key: str) -> SendGrid:
    return SendGrid(api_key=key, sender="sender@example.com", base_url=url)


def _vonage(url: str, key: str) -> Vonage:
    return Vonage(api_key="abcd1234", api_secret=key, sender="+15005550006", base_url=url)


MAKES = [_vonage, _sendgrid, _twilio, _twilio_by_api_key, _fcm]
all_vendors = pytest.mark.parametrize("make", MAKES, ids=lambda make: make.__name__.strip("_"))


@all_vendors
def test_a_good_key_passes_and_nothing_is_sent(make: Make, sandbox: Sandbox) -> None:
    """The operator may ask at any time: the vendor's books do not change."""
    with closing(make(sandbox.url, "good")) as provider:
        assert isinstance(provider, Checkable)
        provider.check()
    assert len(sandbox.inbox) == 0
    assert sandbox.ledger.entries() == []


@all_vendors
def test_a_bad_key_is_refused(make: Make, sandbox: Sandbox) -> None:
    """It is found before the first message, and as what it is."""
    with closing(make(sandbox.url, "bad-key")) as provider, pytest.raises(Unauthorized) as caught:
        provider.check()
    assert "bad-key" not in str(caught.value)


@all_vendors
def test_a_strangers_answer_is_no_good_word(make: Make, vendor: Vendor) -> None:
    """A captive portal says 200 to everything; that proves no key."""
    vendor.default = say(200, b"<html>Welcome!</html>")
    with closing(make(vendor.url, "good")) as provider, pytest.raises(ProviderError):
        provider.check()


@all_vendors
def test_a_vendor_that_is_away_is_told_apart(make: Make, vendor: Vendor) -> None:
    """The key may well be good."""
    vendor.default = hang_up
    with closing(make(vendor.url, "good")) as provider, pytest.raises(ProviderError) as caught:
        provider.check()
    assert type(caught.value) in (TransientError, OutcomeUnknown)


def test_a_sendgrid_key_that_may_not_send_is_refused(vendor: Vendor) -> None:
    """Such a key is good for SendGrid's statistics, and for no mail."""
    vendor.on("/v3/scopes", json_reply(200, {"scopes": ["stats.read"]})({}))
    with (
        closing(_sendgrid(vendor.url, "good")) as provider,
        pytest.raises(Unauthorized, match=r"lacks the permission mail\.send"),
    ):
        provider.check()


def test_a_suspended_twilio_account_is_refused(vendor: Vendor) -> None:
    """Its token is good, and it sends nothing."""
    vendor.default = json_reply(200, {"sid": "AC1", "status": "suspended"})({})
    with (
        closing(_twilio(vendor.url, "good")) as provider,
        pytest.raises(Unauthorized, match="not active"),
    ):
        provider.check()


def test_what_remembers_has_no_key() -> None:
    """A rehearsal's configuration passes too."""
    Memory().check()
