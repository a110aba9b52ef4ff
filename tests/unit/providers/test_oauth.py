"""The access token behind every push: fetched once, renewed in time, and never in the way."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from notify.errors import (
    OutcomeUnknown,
    ProviderError,
    RecipientGone,
    Throttled,
    TransientError,
    Unauthorized,
)
from notify.provider import Provider
from tests.support.patience import PATIENCE
from tests.support.vendor import Reply, Seen, Vendor, hang, reset, say
from tests.unit.providers.calling import Hurry
from tests.unit.providers.dialects import FCM, MESSAGE, fcm_error, json_reply, token


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


EXPIRED = fcm_error(401, "UNAUTHENTICATED", None, {"reason": "ACCESS_TOKEN_EXPIRED"})({})


def ending(vendor: Vendor, good: str, then: Reply) -> None:
    """Have FCM refuse every access token but a good one."""

    def judge(seen: Seen) -> Reply:
        shown = seen.headers["authorization"].removeprefix("Bearer ")
        return then if shown == good else EXPIRED

    vendor.choose(FCM.path, judge)


def tokens(vendor: Vendor, *values: str) -> None:
    """Return these tokens in turn, and then always the last one."""
    left = list(values)
    vendor.on("/token", lambda *given: token(left.pop(0) if left[1:] else left[0])(*given))


def test_a_token_that_ended_early_costs_no_message(vendor: Vendor) -> None:
    """It was revoked, or its life was cut short: one fresh token, one more try, and it is sent."""
    provider = FCM.build(vendor, "accepted")
    tokens(vendor, "canary-first", "canary-second")
    ending(vendor, "canary-second", FCM.words["accepted"]({}))
    assert provider.send(MESSAGE).provider_id == "id-1"
    assert provider.send(MESSAGE).provider_id == "id-1"
    assert (asked(vendor), len(vendor.seen)) == (2, 5)
    provider.close()


def test_many_threads_with_one_ended_token_fetch_one_more(vendor: Vendor) -> None:
    """The callers that are refused after that find the fresh one."""
    together, renewed = threading.Barrier(8), threading.Event()

    def refuse(*given: Any) -> bool:
        if together.wait(PATIENCE) > 0:  # all but one
            renewed.wait(PATIENCE)
        return EXPIRED(*given)

    def judge(seen: Seen) -> Reply:
        if seen.headers["authorization"] != "Bearer canary-second":
            return refuse
        renewed.set()
        return FCM.words["accepted"]({})

    provider = FCM.build(vendor, "accepted", timeout=PATIENCE)
    provider.send(MESSAGE)
    tokens(vendor, "canary-second")
    vendor.choose(FCM.path, judge)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(provider.send, [MESSAGE] * 8))
    assert asked(vendor) == 2
    provider.close()


@pytest.mark.parametrize(
    ("second", "kind"),
    [
        (EXPIRED, Unauthorized),
        (fcm_error(403, "PERMISSION_DENIED")({}), Unauthorized),
        (fcm_error(404, "NOT_FOUND", "UNREGISTERED")({}), RecipientGone),
        (fcm_error(503, "UNAVAILABLE", "UNAVAILABLE")({}), TransientError),
        (reset, OutcomeUnknown),
    ],
)
def test_the_second_answer_is_the_one_that_counts(
    vendor: Vendor, second: Reply, kind: type[ProviderError]
) -> None:
    """There is no third try, and only a fresh token that is refused holds the circuit."""
    provider = FCM.build(vendor, "accepted")
    tokens(vendor, "canary-first", "canary-second")
    ending(vendor, "canary-second", second)
    assert type(error_of(provider)) is kind
    assert (asked(vendor), len(vendor.seen)) == (2, 4)
    provider.close()


def test_after_two_refused_tokens_a_third_is_fetched_for_the_next_message(vendor: Vendor) -> None:
    """Once the account is valid again, no call waits for the end of a refused token."""
    provider = FCM.build(vendor, "accepted")
    tokens(vendor, "canary-first", "canary-second", "canary-third")
    ending(vendor, "canary-third", FCM.words["accepted"]({}))
    assert type(error_of(provider)) is Unauthorized
    assert provider.send(MESSAGE).provider_id == "id-1"
    provider.close()


def test_a_key_for_apple_that_is_refused_needs_no_other_token(vendor: Vendor) -> None:
    """The 401 is about what our account holds at Google, not about our token."""
    provider = FCM.build(vendor, "unauthorized")
    error = error_of(provider)
    assert (type(error), error.code) == (Unauthorized, "THIRD_PARTY_AUTH_ERROR")
    assert (asked(vendor), len(vendor.seen)) == (1, 2)
    provider.close()


def test_a_refused_token_without_another_is_no_fault_of_the_account(vendor: Vendor) -> None:
    """Google's token endpoint is away: the message waits, the circuit is not held."""
    provider = FCM.build(vendor, "accepted")
    provider.send(MESSAGE)
    vendor.on("/token", say(503))
    vendor.on(FCM.path, EXPIRED)
    error = error_of(provider)
    assert type(error) is TransientError
    assert "nothing was sent" in str(error)
    provider.close()


@pytest.mark.parametrize(("seconds", "tries"), [(9.9, 2), (10.0, 1)])
def test_a_second_try_keeps_within_the_time_of_a_call(
    vendor: Vendor, seconds: float, tries: int
) -> None:
    """A claim lasts for two timeouts of a call, and no call may outlive its claim."""
    now = [0.0]

    def slowly(*given: Any) -> bool:
        now[0] += seconds
        return EXPIRED(*given)

    provider = FCM.build(vendor, "accepted", timeout=10.0, monotonic=lambda: now[0])
    provider.send(MESSAGE)
    vendor.seen.clear()
    vendor.on(FCM.path, slowly)
    error = error_of(provider)
    assert [seen.path for seen in vendor.seen].count(FCM.path) == tries
    assert type(error) is (Unauthorized if tries == 2 else TransientError)
    provider.close()


@pytest.mark.parametrize("life", [3599, 3599.0, "3599", "3599.0", 3598.5])
def test_a_life_is_read_in_every_way_it_is_written(vendor: Vendor, life: object) -> None:
    """JSON has one kind of number, and some servers write it with a point or as a string."""
    provider = FCM.build(vendor, "accepted")
    vendor.on("/token", json_reply(200, {"access_token": "canary", "expires_in": life})({}))
    provider.send(MESSAGE)
    provider.send(MESSAGE)
    assert asked(vendor) == 1
    provider.close()


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (json_reply(400, {"error": "invalid_grant", "why": "canary"})({}), Unauthorized),
        (json_reply(401, {"error": "invalid_client"})({}), Unauthorized),
        (json_reply(429, {"error": "slow"})({}), Throttled),
        (json_reply(503, {"error": "canary x"})({}), TransientError),
        (json_reply(200, {"access_token": "canary", "expires_in": "soon"})({}), TransientError),
        (json_reply(200, {"access_token": "canary", "expires_in": True})({}), TransientError),
        (json_reply(200, {"access_token": "canary", "expires_in": -1})({}), TransientError),
        (json_reply(200, {"access_token": "canary", "expires_in": 1e300})({}), TransientError),
        (json_reply(200, {"access_token": "canary", "expires_in": "nan"})({}), TransientError),
        (json_reply(200, {"access_token": "canary", "expires_in": "9" * 400})({}), TransientError),
        (json_reply(200, {"access_token": "canary"})({}), TransientError),
        (json_reply(200, {"access_token": "canary\n", "expires_in": 3600})({}), TransientError),
        (json_reply(200, {"access_token": "", "expires_in": 3600})({}), TransientError),
        (say(400, b"<html>canary</html>"), TransientError),
        (say(200, b"[]"), TransientError),
        (reset, TransientError),
        (hang, TransientError),
    ],
)  # fmt: skip
def test_without_a_token_nothing_was_sent(
    vendor: Vendor, reply: Reply, kind: type[ProviderError], hurry: Hurry
) -> None:
    """Whatever became of the token's request, no message left: never an unknown outcome."""
    provider = FCM.build(vendor, "accepted", timeout=10.0)
    vendor.on("/token", reply)
    if reply is hang:
        hurry(9.7)
    error = error_of(provider)
    assert type(error) is kind
    assert "nothing was sent" in str(error)
    # On a busy machine the vendor reads it later than the provider gives up.
    assert vendor.wait_for_requests(1)
    assert [seen.path for seen in vendor.seen] == ["/token"]
    provider.close()
