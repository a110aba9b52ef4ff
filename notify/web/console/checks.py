"""Checks that take longer than an answer may: they run in a thread, and their result is kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Generic, TypeVar

import structlog

from notify.doctor import Finding, examine
from notify.errors import NotifyError
from notify.ledger import Ledger, build_ledger
from notify.service.record import opened_record
from notify.settings import Settings

_T = TypeVar("_T")

log = structlog.get_logger("notify.console")


@dataclass(frozen=True, slots=True)
class CheckState(Generic[_T]):
    """
    One check at a moment.

    Attributes:
        since: When the present run began; None if none is in progress.
        ended: When the last run ended; None before the first.
        result: Its result; None if it failed.
        mistake: Why it failed.
    """

    since: datetime | None = None
    ended: datetime | None = None
    result: _T | None = None
    mistake: str | None = None


class BackgroundCheck(Generic[_T]):
    """Runs one check at a time, and keeps the last result. Thread-safe."""

    def __init__(
        self,
        run: Callable[[], _T],
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._run = run
        self._clock = clock
        self._lock = threading.Lock()
        self._state: CheckState[_T] = CheckState()

    @property
    def state(self) -> CheckState[_T]:
        """The check at this moment."""
        return self._state

    def start(self) -> threading.Thread | None:
        """Begin a run; return its thread, None if another run is in progress."""
        with self._lock:
            if self._state.since is not None:
                return None
            self._state = replace(self._state, since=self._clock())
        thread = threading.Thread(target=self._finish, name="console check", daemon=True)
        thread.start()
        return thread

    def _finish(self) -> None:
        try:
            state = CheckState(result=self._run())
        except NotifyError as error:
            state = CheckState(mistake=str(error))
        except Exception as error:
            # A fault must not leave the run in progress for ever.
            log.error("notify.console_check_crashed", exc_info=error)
            state = CheckState(mistake="a fault in the check itself; the log has it")
        self._state = replace(state, ended=self._clock())


@dataclass(frozen=True, slots=True)
class ConsoleChecks:
    """The checks that pages can start."""

    doctor: BackgroundCheck[Sequence[Finding]]
    ledger: BackgroundCheck[Ledger]

    @classmethod
    def of(cls, settings: Settings) -> ConsoleChecks:
        """Return the checks of an installation; each opens connections of its own."""

        def ledger() -> Ledger:
            with opened_record(settings, connections=1) as store:
                return build_ledger(store, now=store.clock())

        return cls(BackgroundCheck(_examined), BackgroundCheck(ledger))


def _examined() -> Sequence[Finding]:
    # This process has no keys that send, so it cannot ask the vendors, and its own user of RabbitMQ
    # has not the rights of a worker.
    found = examine(ask_providers=False, ask_dns=False)
    return [each for each in found if each.check != "rights"]
