"""A session of drills in turn; a drill that cannot be played does not end it."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from tests.faults.drills import Drill
from tests.faults.receipts.run import ReceiptDrill, ReceiptResult, run_receipts
from tests.faults.run import Result, run
from tests.faults.stage import Services, services
from tests.faults.unplayed import OBSTACLES, reason

_Played = TypeVar("_Played")


class Session:
    """Plays drills on shared services, and replaces these after a drill that broke off."""

    def __init__(self, folder: Path, *, within: float) -> None:
        """
        Prepare; services start with the first drill.

        Args:
            folder: For ledgers and logs.
            within: Seconds after a fault's end in which deliveries must resume.
        """
        self._folder = folder
        self._within = within
        self._played = 0
        self._services: Services | None = None
        self._open = ExitStack()

    def play(self, drill: Drill) -> Result:
        """Play one drill; a result without findings has the reason why it could not be played."""
        began = time.monotonic()
        played = self._play(partial(run, drill, within=self._within))
        if isinstance(played, Result):
            return played
        return Result.not_played(drill, played, took=time.monotonic() - began)

    def play_receipts(self, drill: ReceiptDrill) -> ReceiptResult:
        """Play one drill of the receipts' path; a result may have an obstacle, as in `play`."""
        began = time.monotonic()
        played = self._play(partial(run_receipts, drill))
        if isinstance(played, ReceiptResult):
            return played
        return ReceiptResult.not_played(drill, played, took=time.monotonic() - began)

    def _play(self, run_on: Callable[[Services, Path], _Played]) -> _Played | str:
        """Run a drill on the services, in a folder of its own; return why it was not played."""
        self._played += 1
        folder = self._folder / f"{self._played:02}"
        try:
            return run_on(self._started(), folder)
        except OBSTACLES as error:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "not-played.txt").write_text(traceback.format_exc())
            self._replace()
            return reason(error)

    def _started(self) -> Services:
        if self._services is None:
            folder = self._folder / f"services-{self._played:02}"
            self._services = self._open.enter_context(services(folder))
        return self._services

    def _replace(self) -> None:
        """Stop the services, which the drill may have damaged."""
        self._services = None
        stopping, self._open = self._open, ExitStack()
        try:
            stopping.close()
        except OBSTACLES:
            (self._folder / f"not-stopped-{self._played:02}.txt").write_text(traceback.format_exc())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._replace()
