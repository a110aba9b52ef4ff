"""The state of the whole service, read at most once a second, whatever the number of viewers."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from notify.errors import StoreError
from notify.settings import Settings
from notify.status.overview import Overview
from notify.status.providers import ProviderStatus, read_providers
from notify.status.reader import StatusReader
from notify.store import Store

FRESH = 1.0
"""Seconds for which a snapshot is shown again."""
PATIENCE = 0.1
"""Seconds that a viewer waits for a newer snapshot; beside a full machine a read takes longer."""
SAMPLED = 5.0
"""Seconds between two samples of the queues, and two reads of the providers' calls."""
KEPT = 60
"""Samples: the last five minutes."""


@dataclass(frozen=True, slots=True)
class QueueSample:
    """One queue at one moment."""

    waiting: int
    leaving: float
    """Notifications a second that were sent."""


class Snapshots:
    """
    Reads the overview when a viewer asks and the last one is old. Thread-safe.

    `sample` reads it every `SAMPLED` seconds without viewers too, so that the last five minutes are
    known when an operator comes, and no snapshot is much older.
    """

    def __init__(
        self,
        reader: StatusReader,
        *,
        settings: Settings,
        store: Store,
        patience: float = PATIENCE,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = reader
        self._settings = settings
        self._store = store
        self._patience = patience
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="snapshot")
        self._newer: Future[Overview] | None = None
        self._sampling = threading.Lock()
        self._last: tuple[float, Overview] | None = None
        self._took = 0.0
        self._providers: Sequence[ProviderStatus] | None = None
        self._samples: dict[str, deque[QueueSample]] = {}
        self._sample_at = 0.0

    def read(self) -> Overview:
        """
        Return the overview, at most a second old unless a read takes longer than `PATIENCE`.

        Then the one before is returned, which is some seconds old: neither a broker that does not
        answer nor a full machine keeps a viewer waiting. Only the first one is waited for. If the
        last read took longer, so will the next: it is not waited for at all.
        """
        last = self._last
        if last is not None and self._is_fresh():
            return last[1]
        newer = self._begin()
        if last is None:
            return newer.result()
        if self._took > self._patience:
            return last[1]
        try:
            return newer.result(self._patience)
        except TimeoutError:
            return last[1]

    def _begin(self) -> Future[Overview]:
        """Begin a read in the thread, unless one is in progress; return its result."""
        with self._lock:
            if self._newer is None or (self._newer.done() and not self._is_fresh()):
                self._newer = self._thread.submit(self._read)
            return self._newer

    def _is_fresh(self) -> bool:
        return self._last is not None and self._monotonic() - self._last[0] < FRESH

    def _read(self) -> Overview:
        began = self._monotonic()
        overview = self._reader.read()
        self._last = (self._monotonic(), overview)
        self._took = self._last[0] - began
        self._keep(overview)
        return overview

    def providers(self) -> Sequence[ProviderStatus] | None:
        """Return the providers as of the last sample; None if the record could not be read."""
        self.read()
        return self._providers

    def samples(self) -> Mapping[str, Sequence[QueueSample]]:
        """Return the samples of each queue over the last five minutes, the oldest first."""
        with self._sampling:
            return {name: list(kept) for name, kept in self._samples.items()}

    def sample(self) -> None:
        """Read the overview, whether a viewer asks or not."""
        self._begin().result()

    def _keep(self, overview: Overview) -> None:
        now = self._monotonic()
        if now < self._sample_at:
            return
        self._sample_at = now + SAMPLED - FRESH / 2
        pace = overview.record.pace if overview.record else {}
        with self._sampling:
            for name, depth in (overview.queues or {}).items():
                if depth is not None:
                    kept = self._samples.setdefault(name, deque(maxlen=KEPT))
                    kept.append(QueueSample(depth.ready, pace.get(name, 0.0)))
        try:
            self._providers = read_providers(self._settings, self._store)
        except StoreError:
            self._providers = None
