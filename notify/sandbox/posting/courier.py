"""Send one post, and report its answer."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import urllib3

from notify.sandbox.posting.post import WebhookPost

_TIMEOUT = urllib3.Timeout(connect=5.0, read=15.0)
"""Seconds; Twilio's defaults for a callback."""
_CONNECTIONS = 8


class Courier:
    """Sends posts over kept connections. Safe to use from several threads."""

    def __init__(self) -> None:
        self._http = urllib3.PoolManager(
            maxsize=_CONNECTIONS, retries=False, timeout=_TIMEOUT, block=False
        )

    def send(self, post: WebhookPost) -> int | str:
        """Return the status of the answer; `connect` or `timeout` if there was none."""
        try:
            answer = self._http.request(
                "POST", post.url, body=post.body, headers=dict(post.headers), redirect=False
            )
        except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError):
            return "connect"
        except urllib3.exceptions.HTTPError:
            return "timeout"
        return answer.status

    def close(self) -> None:
        """Close the idle connections."""
        self._http.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
