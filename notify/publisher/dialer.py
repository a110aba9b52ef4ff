"""Retrying to connect, with back-off, until a deadline."""

from __future__ import annotations

import random
from collections.abc import Callable

from notify.publisher.connection import FAILURES
from notify.publisher.link import Link

_FIRST = 0.1
_MOST = 2.0
_SHORTEST_TIMEOUT = 0.1


class Dialer:
    """Opens a link, with exponential back-off and full jitter between attempts."""

    def __init__(
        self,
        link: Callable[..., Link],
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        rng: random.Random,
    ) -> None:
        self._link = link
        self._clock = clock
        self._sleep = sleep
        self._rng = rng

    def connect(self, deadline: float) -> Link:
        """
        Return a new link; once the deadline has passed, raise the last attempt's error.

        Raises:
            ConfigError: The broker refuses the login; another attempt would not help.
            OSError, amqp.AMQPError: The broker cannot be reached.
        """
        ceiling = _FIRST
        while True:
            timeout = max(deadline - self._clock(), _SHORTEST_TIMEOUT)
            try:
                return self._link(connect_timeout=timeout)
            except FAILURES:
                remaining = deadline - self._clock()
                if remaining <= 0:
                    raise
            self._sleep(min(remaining, self._rng.uniform(0, ceiling)))
            ceiling = min(_MOST, 2 * ceiling)
