"""The parts that the handlers of pages and actions use."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from notify.deadletters import Replayer
from notify.service.contract import open_templates
from notify.service.deadletters import open_replayer
from notify.settings import Settings, keyring_of
from notify.status.overview import Overview
from notify.status.providers import ProviderStatus
from notify.status.recipient_tokens import RecipientTokens
from notify.store import Store
from notify.templating import TemplateInfo, Templates
from notify.web.console.checks import ConsoleChecks
from notify.web.console.snapshot import QueueSample

TEMPLATES_FRESH = 10.0
"""Seconds for which the templates are not read again."""


class ReadsOverview(Protocol):
    """Where the overview comes from; `notify.web.console.snapshot.Snapshots` is one."""

    def read(self) -> Overview:
        """Return the overview, at most a second old; some seconds beside a full machine."""
        ...

    def providers(self) -> Sequence[ProviderStatus] | None:
        """Return the providers, some seconds old; None if the record cannot be read."""
        ...

    def samples(self) -> Mapping[str, Sequence[QueueSample]]:
        """Return each queue's last five minutes."""
        ...


@dataclass(frozen=True, slots=True)
class LoadedTemplates:
    """The templates, with what costs a compilation of all files."""

    templates: Templates
    names: Sequence[TemplateInfo]
    problems: Sequence[str]

    @classmethod
    def of(cls, templates: Templates) -> Self:
        """Compile all files once."""
        return cls(templates, templates.names(), templates.problems())


class ConsoleSite:
    """
    The parts that every handler may use. Thread-safe.

    Attributes:
        settings: The configuration at the console's start.
        store: The record, over 3 connections, with statements of at most 2 seconds.
        overview: The state of the whole service, read once a second for all viewers.
        checks: The checks that pages can start.
        tokens: Stand for recipients in addresses.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        overview: ReadsOverview,
        checks: ConsoleChecks,
        *,
        token_key: bytes | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create a site; *token_key* makes the tokens without a keyring, else a random one."""
        self.settings = settings
        self.store = store
        self.overview = overview
        self.checks = checks
        fallback = secrets.token_bytes(32) if token_key is None else token_key
        self.tokens = RecipientTokens(keyring_of(settings.privacy), fallback=fallback)
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._templates: tuple[float, LoadedTemplates] | None = None

    def templates(self) -> LoadedTemplates:
        """
        Return the templates of this machine, read at most 10 seconds ago.

        They are compiled again only if a file has changed.

        Raises:
            ConfigError: Their folder is missing.
        """
        with self._lock:
            now = self._monotonic()
            if self._templates is None or now - self._templates[0] >= TEMPLATES_FRESH:
                self._templates = now, self._read_templates()
            return self._templates[1]

    def _read_templates(self) -> LoadedTemplates:
        found = open_templates(self.settings)
        if self._templates is not None and found.has_files_of(self._templates[1].templates):
            return self._templates[1]
        return LoadedTemplates.of(found)

    def open_replayer(self) -> Replayer:
        """
        Return a replayer of the record's dead letters.

        Raises:
            ConfigError: The templates cannot be read.
        """
        return open_replayer(self.settings, self.store)
