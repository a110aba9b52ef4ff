"""The parts that the handlers of pages and actions use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from notify.settings import Settings
from notify.status import Overview, ProviderStatus
from notify.store import Store
from notify.web.console.checks import ConsoleChecks
from notify.web.console.snapshot import QueueSample


class ReadsOverview(Protocol):
    """Where the overview comes from; `notify.web.console.snapshot.Snapshots` is one."""

    def read(self) -> Overview:
        """Return the overview, at most a second old."""
        ...

    def providers(self) -> Sequence[ProviderStatus] | None:
        """Return the providers, some seconds old; None if the record cannot be read."""
        ...

    def samples(self) -> Mapping[str, Sequence[QueueSample]]:
        """Return each queue's last five minutes."""
        ...


@dataclass(frozen=True, slots=True)
class ConsoleSite:
    """
    The parts that every handler may use. Thread-safe.

    Attributes:
        settings: The configuration at the console's start.
        store: The record, over 3 connections, with statements of at most 2 seconds.
        overview: The state of the whole service, read once a second for all viewers.
        checks: The checks that pages can start.
    """

    settings: Settings
    store: Store
    overview: ReadsOverview
    checks: ConsoleChecks
