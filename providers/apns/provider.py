"""Apple Push Notification service: push to Apple's devices."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import quote

from notify.errors import ConfigError, ProviderError, RecipientGone
from notify.message import Channel, Receipt, Rendered
from providers._shared import verdict
from providers._shared.answer import Answer
from providers._shared.options import wrong_addresses, wrong_texts
from providers.apns.payload import headers_of, payload_of
from providers.apns.reasons import PAUSES, meaning
from providers.apns.token import ProviderToken
from providers.apns.transport import Http2Transport

_ID = re.compile(r"[A-Z0-9]{10}")
_TOPIC = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,254}")
_REASON = re.compile(r"[A-Za-z]{1,40}")
_TOKEN = re.compile(r"(?:[0-9A-Fa-f]{2}){32,100}")
_NO_DEVICE = "0" * 64

_OPTIONS = {
    "team_id": (_ID.fullmatch, "must be the team's id: 10 capital letters and digits"),
    "key_id": (_ID.fullmatch, "must be the key's id: 10 capital letters and digits"),
    "topic": (_TOPIC.fullmatch, "must be the app's bundle id, such as com.example.app"),
}


class Apns:
    """
    Sends push messages to Apple's devices.

    Args:
        team_id: The developer team's id.
        key_id: The id of the key.
        key: The key that signs the provider token: the PEM text of `AuthKey_....p8`.
        topic: The app's bundle id, unless a message names another one.
        base_url: The address of the API; `https://api.sandbox.push.apple.com` for builds from
            Xcode.
        timeout: Seconds for a call.
        connect_timeout: Seconds for a connection.
        pool: The most idle connections to keep.
        clock: Seconds since 1970.

    Raises:
        ConfigError: An id, the key or the address cannot be used.
    """

    channel: ClassVar[Channel] = Channel.PUSH

    def __init__(
        self,
        *,
        team_id: str,
        key_id: str,
        key: str,
        topic: str,
        base_url: str = "https://api.push.apple.com",
        timeout: float = 10.0,
        connect_timeout: float = 3.0,
        pool: int = 64,
        clock: Callable[[], float] = time.time,
    ) -> None:
        for name, value in (("team_id", team_id), ("key_id", key_id), ("topic", topic)):
            fits, text = _OPTIONS[name]
            if not fits(value):
                raise ConfigError(f"apns: {name} {text}")
        self._topic = topic
        self._clock = clock
        self._token = ProviderToken(team_id=team_id, key_id=key_id, key=key, clock=clock)
        self._transport = Http2Transport(
            "apns", base_url, timeout=timeout, connect_timeout=connect_timeout, pool=pool
        )

    @staticmethod
    def takes(to: str, /) -> bool:
        """Whether an address is a device token of Apple: hexadecimal digits."""
        return _TOKEN.fullmatch(to) is not None

    def send(self, message: Rendered, /) -> Receipt:
        """Send one push message; the receipt's id is the attempt's, as Apple returns it."""
        topic = message.push.topic
        own, body = headers_of(message, self._clock()), payload_of(message)
        answer = self._posted(message.to, own, body, topic=topic or self._topic)
        identity = answer.headers.get("apns-id")
        # Apple returns the id with each answer; another server would not.
        if answer.status == 200 and identity:
            return Receipt(identity)
        raise self._failure(answer, own_topic=topic is not None)

    def check(self) -> None:
        """Send to a device that does not exist: Apple checks the token first."""
        own, body = {"apns-push-type": "alert"}, b'{"aps":{"alert":"check"}}'
        answer = self._posted(_NO_DEVICE, own, body, topic=self._topic)
        if _reason(answer) not in ("BadDeviceToken", "Unregistered", "DeviceTokenNotForTopic"):
            raise self._failure(answer, own_topic=False)

    @staticmethod
    def wrong_options(options: Mapping[str, Any], /) -> Iterator[tuple[str, str]]:
        """Yield the options with which Apple would refuse every message."""
        yield from wrong_texts(options, _OPTIONS)
        yield from wrong_addresses(options, "base_url")

    def close(self) -> None:
        """Close the idle connections."""
        self._transport.close()

    def _posted(self, to: str, own: Mapping[str, str], body: bytes, *, topic: str) -> Answer:
        shared = {"authorization": f"bearer {self._token.get()}", "apns-topic": topic}
        return self._transport.post(f"/3/device/{quote(to, safe='')}", shared, own, body)

    def _failure(self, answer: Answer, *, own_topic: bool) -> ProviderError:
        reason = _reason(answer)
        genuine = reason is not None and answer.status >= 400
        kind = meaning(reason, own_topic=own_topic) if genuine and reason else None
        error = verdict.failure(
            "apns",
            answer,
            genuine=genuine,
            now=self._clock(),
            kind=kind,
            code=reason,
            pause=PAUSES.get(reason or ""),
        )
        if isinstance(error, RecipientGone):
            error.since = _since(answer)
        return error


def _reason(answer: Answer) -> str | None:
    reason = answer.json().get("reason")
    return reason if isinstance(reason, str) and _REASON.fullmatch(reason) else None


def _since(answer: Answer) -> datetime | None:
    """Return since when Apple knows that the token is not valid; it counts milliseconds."""
    stamp = answer.json().get("timestamp")
    if isinstance(stamp, bool) or not isinstance(stamp, int | float):
        return None
    try:
        return datetime.fromtimestamp(stamp / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
