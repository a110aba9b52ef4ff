"""The parts that the handlers of pages and actions use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from notify.settings import Settings
from notify.status import Overview
from notify.store import Store


class ReadsOverview(Protocol):
    """Where the overview comes from; `notify.web.console.snapshot.Snapshots` is one."""

    def read(self) -> Overview:
        """Return the overview, at most a second old."""
        ...


@dataclass(frozen=True, slots=True)
class ConsoleSite:
    """
    The parts that every handler may use. Thread-safe.

    Attributes:
        settings: The configuration at the console's start.
        store: The record, over 3 connections, with statements of at most 2 seconds.
        overview: The state of the whole service, read once a second for all viewers.
    """

    settings: Settings
    store: Store
    overview: ReadsOverview
