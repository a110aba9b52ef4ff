"""Amazon SES and SNS as moto plays them: another implementation of the same APIs."""

from __future__ import annotations

import email
import json
from collections.abc import Iterator
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from notify.errors import PermanentError
from providers._shared.transport import Transport
from providers.ses import Ses
from providers.ses.signing import Signer
from tests.support.patience import PATIENCE
from tests.unit.providers.dialects import MESSAGE

KEYS: dict[str, Any] = {"region": "eu-central-1", "access_key_id": "id", "secret_access_key": "key"}


@pytest.fixture
def moto() -> Iterator[str]:
    """The address of a server of its own."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def verify(transport: Transport, moto: str, address: str) -> None:
    """Make an address an identity of the account."""
    body = json.dumps({"EmailIdentity": address}).encode()
    head = Signer(transport, moto, **KEYS).head("/v2/email/identities", body)
    assert transport.post(head, body).status == 200


def test_an_unverified_sender_is_refused_and_a_verified_one_sends(moto: str) -> None:
    """moto keeps the message as it parsed it from our bytes."""
    transport = Transport("test", moto, timeout=PATIENCE, connect_timeout=PATIENCE, pool=1)
    # moto imports its backends in the first request, which may take longer than a provider waits.
    verify(transport, moto, "other@example.net")
    provider = Ses(**KEYS, sender="no-reply@example.com", base_url=moto)
    # SES's own text says "not verified", by which the provider knows that it is not the message.
    with pytest.raises(PermanentError) as caught:
        provider.send(MESSAGE)
    assert caught.value.code == "MessageRejected"
    verify(transport, moto, "no-reply@example.com")
    receipt = provider.send(MESSAGE)
    answer = transport.get(transport.head("/moto-api/data.json", {}, method="GET"))
    sent: list[dict[str, Any]] = answer.json()["ses"]["RawMessage"]
    assert [each["id"] for each in sent] == [receipt.provider_id]
    assert email.message_from_string(sent[0]["raw_data"])["To"] == MESSAGE.to
    for each in (provider, transport):
        each.close()
