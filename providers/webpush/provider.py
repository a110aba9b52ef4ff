"""Web Push: push to browsers, through the push service that each browser names."""

from __future__ import annotations

import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from notify.errors import InvalidRecipient, ProviderError
from notify.message import Channel, Receipt, Rendered
from providers._shared import verdict
from providers._shared.answer import Answer
from providers._shared.options import wrong_texts
from providers._shared.topic import topic_of
from providers.webpush.answers import code_of, is_services, meaning
from providers.webpush.origins import (
    DEFAULT_ORIGINS,
    WRONG,
    AllowedOrigins,
    GuardedTransport,
    Resolve,
    are_origins,
)
from providers.webpush.payload import encrypted, payload_of
from providers.webpush.subscription import WebSubscription, read_subscription
from providers.webpush.vapid import MOST_ORIGINS, WRONG_SUBJECT, Vapid, is_subject

LONGEST_LIFE = 2_419_200
"""Seconds: the four weeks for which push services keep a message at most."""
PAUSE = 30.0
"""Seconds to wait if a push service throttles without a `Retry-After`."""


class WebPush:
    """
    Sends push messages to browsers.

    Args:
        private_key: The VAPID key: PEM, or its 32 bytes in URL-safe base64.
        subject: The contact that push services see: `mailto:...` or an https address.
        origins: The push services that may be called.
        timeout: Seconds for a call.
        connect_timeout: Seconds for a connection.
        pool: The most idle connections to keep, for each push service.
        clock: Seconds since 1970.
        resolve: Finds the addresses of a name, as `socket.getaddrinfo`.

    Raises:
        ConfigError: The key, the contact or an origin cannot be used.
    """

    channel: ClassVar[Channel] = Channel.PUSH

    def __init__(
        self,
        *,
        private_key: str,
        subject: str,
        origins: Sequence[str] = DEFAULT_ORIGINS,
        timeout: float = 10.0,
        connect_timeout: float = 3.0,
        pool: int = 32,
        clock: Callable[[], float] = time.time,
        resolve: Resolve = socket.getaddrinfo,
    ) -> None:
        self._vapid = Vapid(private_key, subject, clock=clock)
        self._allowed = AllowedOrigins(origins)
        self._timeout = timeout
        self._connect_timeout = connect_timeout
        self._pool = pool
        self._clock = clock
        self._resolve = resolve
        self._lock = threading.Lock()
        self._transports: OrderedDict[str, GuardedTransport] = OrderedDict()

    def takes(self, to: str, /) -> bool:
        """Whether an address is a subscription with one of this provider's push services."""
        if not to.startswith(("https://", "http://")):
            return False
        subscription = read_subscription(to)
        return subscription is not None and self._allowed.allow(subscription.origin)

    def send(self, message: Rendered, /) -> Receipt:
        """Send one push message; the receipt's id is the message's address, if there is one."""
        subscription = read_subscription(message.to)
        if subscription is None:
            raise _refused("the address is not a subscription of a browser", "subscription")
        if not self._allowed.allow(subscription.origin):
            raise _refused("the subscription's push service is not in `origins`", "origin")
        transport = self._transport(subscription.origin)
        head = transport.head(subscription.path, self._headers(message, subscription))
        answer = transport.post(head, encrypted(payload_of(message), subscription))
        location = answer.headers.get("Location", "")
        # RFC 8030 section 5: 201 with the message's address; some services leave it out.
        if answer.status == 201 and (location or not answer.body):
            return Receipt(location)
        raise self._failure(answer)

    @staticmethod
    def wrong_options(options: Mapping[str, Any], /) -> Iterator[tuple[str, str]]:
        """Yield the options with which no message can be sent."""
        yield from wrong_texts(options, {"subject": (is_subject, WRONG_SUBJECT)})
        if "origins" in options and not are_origins(options["origins"]):
            yield "origins", WRONG

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            for each in self._transports.values():
                each.close()
            self._transports.clear()

    def _transport(self, origin: str) -> GuardedTransport:
        with self._lock:
            known = self._transports.get(origin)
            if known is None:
                known = self._transports[origin] = GuardedTransport(
                    origin,
                    timeout=self._timeout,
                    connect_timeout=self._connect_timeout,
                    pool=self._pool,
                    resolve=self._resolve,
                )
                if len(self._transports) > MOST_ORIGINS:
                    self._transports.popitem(last=False)[1].close()
            else:
                self._transports.move_to_end(origin)
            return known

    def _headers(self, message: Rendered, subscription: WebSubscription) -> dict[str, str]:
        life = message.push_life(self._clock(), longest=LONGEST_LIFE)
        priority = message.push.priority
        return {
            "Authorization": self._vapid.authorization(subscription.origin),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(LONGEST_LIFE if life is None else life),
            "Topic": topic_of(message),
            **({} if priority is None else {"Urgency": priority.value}),
        }

    def _failure(self, answer: Answer) -> ProviderError:
        genuine = is_services(answer)
        code = code_of(answer) if genuine else None
        return verdict.failure(
            "webpush",
            answer,
            genuine=genuine and answer.status >= 400,
            now=self._clock(),
            kind=meaning(answer.status, code) if genuine else None,
            code=code,
            pause=PAUSE,
        )


def _refused(why: str, code: str) -> InvalidRecipient:
    return InvalidRecipient(f"webpush: {why}, nothing was sent", provider="webpush", code=code)
