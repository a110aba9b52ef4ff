"""The access token behind every push: fetched once, renewed in time, and never in the way."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from notify.errors import ProviderError, Throttled, TransientError, Unauthorized
from notify.provider import Provider
from tests.unit.providers.dialects import FCM, MESSAGE, json_reply, token
from tests.vendor import PATIENCE, Reply, Vendor, hang, reset, say


def error_of(provider: Provider) -> ProviderError:
    """The error of one send."""
    with pytest.raises(ProviderError) as caught:
        provider.send(MESSAGE)
    assert "canary" not in str(caught.value)
    return caught.value


def asked(vendor: Vendor) -> int:
    """How often a token was asked for."""
    return [seen.path for seen in vendor.seen].count("/token")


def test_a_token_serves_many_messages_and_threads(vendor: Vendor) -> None:
    """It is fetched once, also where many threads come first at once."""
    provider = FCM.build(vendor, "accepted")
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(provider.send, [MESSAGE] * 24))
    assert asked(vendor) == 1
    provider.close()


def test_a_token_is_renewed_before_it_ends(vendor: Vendor) -> None:
    """Five minutes early, so that no call meets its end."""
    now = [datetime.now(UTC).timestamp()]
    provider = FCM.build(vendor, "accepted", clock=lambda: now[0])
    provider.send(MESSAGE)
    now[0] += 3250
    provider.send(MESSAGE)
    assert asked(vendor) == 1
    now[0] += 60
    vendor.on("/token", token("canary-second", seconds=9999))
    provider.send(MESSAGE)
    assert asked(vendor) == 2
    assert vendor.seen[-1].headers["authorization"] == "Bearer canary-second"
    provider.close()


def test_a_token_that_still_serves_outlives_a_failed_renewal(vendor: Vendor) -> None:
    """Nothing is lost while the old one is good; it is tried again, but not by every call."""
    now = [datetime.now(UTC).timestamp()]
    provider = FCM.build(vendor, "accepted", clock=lambda: now[0])
    provider.send(MESSAGE)
    vendor.on("/token", say(500))
    now[0] += 3310
    provider.send(MESSAGE)
    provider.send(MESSAGE)
    assert asked(vendor) == 2
    now[0] += 20
    provider.send(MESSAGE)
    assert asked(vendor) == 3
    now[0] += 300
    assert type(error_of(provider)) is TransientError
    provider.close()


def test_nobody_waits_for_a_renewal_while_the_old_token_serves(vendor: Vendor) -> None:
    """One thread renews it; the others go on sending."""
    now = [datetime.now(UTC).timestamp()]
    provider = FCM.build(vendor, "accepted", clock=lambda: now[0])
    provider.send(MESSAGE)
    released = threading.Event()
    vendor.on("/token", lambda *_: not released.wait(PATIENCE))
    now[0] += 3310
    with ThreadPoolExecutor(1) as thread:
        renewing = thread.submit(provider.send, MESSAGE)
        assert vendor.wait_for_requests(3)
        provider.send(MESSAGE)
        assert not renewing.done()
        released.set()
        renewing.result()
    provider.close()


def test_a_refused_token_is_fetched_anew(vendor: Vendor) -> None:
    """A token that was revoked does not stay until its end."""
    provider = FCM.build(vendor, "unauthorized")
    assert type(error_of(provider)) is Unauthorized
    vendor.on("/token", token("canary-second"))
    vendor.on(FCM.path, FCM.words["accepted"]({}))
    provider.send(MESSAGE)
    assert vendor.seen[-1].headers["authorization"] == "Bearer canary-second"
    provider.close()


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (json_reply(400, {"error": "invalid_grant", "why": "canary"})({}), Unauthorized),
        (json_reply(401, {"error": "invalid_client"})({}), Unauthorized),
        (json_reply(429, {"error": "slow"})({}), Throttled),
        (json_reply(503, {"error": "canary x"})({}), TransientError),
        (json_reply(200, {"access_token": "canary", "expires_in": "soon"})({}), TransientError),
        (json_reply(200, {"access_token": "canary\n", "expires_in": 3600})({}), TransientError),
        (json_reply(200, {"access_token": "", "expires_in": 3600})({}), TransientError),
        (say(400, b"<html>canary</html>"), TransientError),
        (say(200, b"[]"), TransientError),
        (reset, TransientError),
        (hang, TransientError),
    ],
)  # fmt: skip
def test_without_a_token_nothing_was_sent(
    vendor: Vendor, reply: Reply, kind: type[ProviderError]
) -> None:
    """Whatever became of the token's request, no message left: never an unknown outcome."""
    provider = FCM.build(vendor, "accepted", timeout=0.4 if reply is hang else 10.0)
    vendor.on("/token", reply)
    error = error_of(provider)
    assert type(error) is kind
    assert "nothing was sent" in str(error)
    assert [seen.path for seen in vendor.seen] == ["/token"]
    provider.close()
