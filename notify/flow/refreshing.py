"""Keeping a process's picture of what all workers share up to date."""

from __future__ import annotations

import structlog

from notify.errors import StoreError
from notify.flow.flow import Flow
from notify.periodic import PeriodicThread

PERIOD = 0.5
"""Seconds between two exchanges: what an operator says holds everywhere within two seconds."""

log = structlog.get_logger("notify.flow")


class Refreshing:
    """Refreshes one process's flow control from a thread of its own."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._looking = PeriodicThread("flow", self._look, pause=PERIOD)

    def start(self) -> None:
        """Learn what is known by now, before anything is consumed; and from then on."""
        try:
            self._flow.refresh()
        except StoreError as error:
            log.warning("notify.flow_unknown", reason=str(error))
        self._looking.start()

    def stop(self, *, timeout: float) -> None:
        """Finish the exchange in hand, for *timeout* seconds at most."""
        self._looking.stop(timeout=timeout)

    def _look(self) -> float:
        self._flow.refresh()
        return PERIOD
