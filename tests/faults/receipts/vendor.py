"""A vendor that posts signed events, repeats what is not answered, and remembers the answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import uuid4

import urllib3

from tests.support.signing import SendGridSigner

BATCH = 10
"""Events of one request."""
THREADS = 8
AGAIN_AFTER = 0.5
"""Seconds until a request that was not answered with 2xx is posted again."""
TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class VendorEvent:
    """One event of the vendor: which call it is about, and what happened to it."""

    notification_id: str
    attempt_id: str
    event: str
    at: int
    """Seconds since 1970 by the vendor's clock."""


class Vendor:
    """
    Posts SendGrid's events in batches from several threads, at a steady rate.

    Attributes:
        taken: The events of all requests that were answered with 2xx.
        refused: How many requests were answered otherwise, or not at all.
    """

    def __init__(self, url: str, *, rate: float) -> None:
        """Prepare; *rate* is in requests a second."""
        self._url = url
        self._rate = rate
        self._signer = SendGridSigner()
        self._http = urllib3.PoolManager(num_pools=1, maxsize=THREADS, retries=False)
        self._lock = threading.Lock()
        self.taken: list[VendorEvent] = []
        self.refused = 0

    @property
    def public_key(self) -> str:
        """The key to configure, as SendGrid shows it."""
        return self._signer.public_key

    def post_all(self, events: Sequence[VendorEvent], *, timeout: float) -> bool:
        """Post events until all are answered with 2xx; return whether that was in time."""
        batches = [events[at : at + BATCH] for at in range(0, len(events), BATCH)]
        end = time.monotonic() + timeout
        with ThreadPoolExecutor(THREADS) as pool:
            begun = time.monotonic()
            posted = []
            for number, batch in enumerate(batches):
                time.sleep(max(0.0, begun + number / self._rate - time.monotonic()))
                posted.append(pool.submit(self._post, batch, end))
            return all(each.result() for each in posted)

    def _post(self, batch: Sequence[VendorEvent], end: float) -> bool:
        while time.monotonic() < end:
            if self._answered(batch):
                with self._lock:
                    self.taken += batch
                return True
            with self._lock:
                self.refused += 1
            time.sleep(AGAIN_AFTER)
        return False

    def _answered(self, batch: Sequence[VendorEvent]) -> bool:
        # The id of each event changes with every post, as SendGrid's do.
        posted = self._signer.posted([_json(each) for each in batch])
        try:
            answer = self._http.request(
                "POST", self._url, body=posted.body, headers=posted.headers, timeout=TIMEOUT
            )
        except urllib3.exceptions.HTTPError:
            return False
        return 200 <= answer.status < 300


def _json(event: VendorEvent) -> dict[str, object]:
    return {
        "email": "ann@example.com",
        "timestamp": event.at,
        "event": event.event,
        "sg_event_id": uuid4().hex,
        "sg_message_id": f"{event.attempt_id}.recvd-1-0",
        "notify_id": event.notification_id,
        "attempt_id": event.attempt_id,
        **({"status": "5.1.1", "type": "bounce"} if event.event == "bounce" else {}),
    }
