"""The suppression list of an SES account, as `notify suppress sync` reads and corrects it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from notify.errors import Unauthorized
from notify.provider import KeepsSuppressions
from notify.receipt import Blame, DeliveryReceipt, ReceiptEvent
from tests.support.vendor import Vendor
from tests.unit.providers.dialects import SES
from tests.unit.providers.dialects.dialect import json_reply
from tests.unit.providers.dialects.ses import ses_error

PATH = "/v2/email/suppression/addresses"
BOUNCES = f"{PATH}?PageSize=500&Reason=BOUNCE"


def page(*addresses: str, following: str | None = None) -> Any:
    """A page of the list."""
    entries = [
        {"EmailAddress": each, "Reason": "BOUNCE", "LastUpdateTime": 1_796_000_000.5}
        for each in addresses
    ]
    return json_reply(200, {"SuppressedDestinationSummaries": entries, "NextToken": following})({})


def test_a_list_is_read_to_its_end(vendor: Vendor) -> None:
    """SES continues it by a token; a reader that begins again starts at its beginning."""
    provider = SES.make(base_url=vendor.url)
    assert isinstance(provider, KeepsSuppressions)
    assert provider.lists() == ["bounces", "complaints"]
    vendor.on(BOUNCES, page("a@example.org", following="t/1"))
    vendor.on(f"{BOUNCES}&NextToken=t%2F1", page("b@example.org"))
    for _ in range(2):
        (first,) = provider.listed("bounces", offset=0)
        (second,) = provider.listed("bounces", offset=1)
        assert [first.recipient, second.recipient] == ["a@example.org", "b@example.org"]
        assert list(provider.listed("bounces", offset=2)) == []
    assert (first.event, first.blame) == (ReceiptEvent.BOUNCED, Blame.RECIPIENT)
    assert first.at == datetime.fromtimestamp(1_796_000_000.5, UTC)
    vendor.on(BOUNCES.replace("BOUNCE", "COMPLAINT"), page("c@example.org"))
    (complaint,) = provider.listed("complaints", offset=0)
    assert (complaint.event, complaint.blame) == (ReceiptEvent.COMPLAINED, None)
    provider.close()


@pytest.mark.parametrize("status", [200, 404])
def test_a_lifted_address_is_deleted(vendor: Vendor, status: int) -> None:
    """Whether it is still there or not."""
    provider = SES.make(base_url=vendor.url)
    assert isinstance(provider, KeepsSuppressions)
    vendor.on(f"{PATH}/a%2Bb%40example.org", ses_error(status, "NotFoundException")({}))
    listed = DeliveryReceipt(ReceiptEvent.BOUNCED, "list bounces", recipient="a+b@example.org")
    provider.unlist("bounces", listed)
    assert vendor.seen[0].method == "DELETE"
    provider.close()


def test_a_key_without_the_right_is_reported(vendor: Vendor) -> None:
    """Reading the list needs more rights than sending."""
    provider = SES.make(base_url=vendor.url)
    assert isinstance(provider, KeepsSuppressions)
    vendor.on(BOUNCES, ses_error(403, "AccessDeniedException")({}))
    with pytest.raises(Unauthorized):
        provider.listed("bounces", offset=0)
    vendor.on(f"{PATH}/a%40b", ses_error(403, "AccessDeniedException")({}))
    with pytest.raises(Unauthorized):
        provider.unlist("bounces", DeliveryReceipt(ReceiptEvent.BOUNCED, "x", recipient="a@b"))
    provider.close()
