"""The progress of a replay on the operator's terminal: first scheduled, then sent."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from notify.cli.console import Console
from notify.deadletters import ReplayStep
from notify.message import Status
from notify.store import Store
from notify.store.deadletters import read_final_statuses

_INTERVAL = 0.5
"""Seconds between two reads of the statuses."""
_AT_ONCE = 500
"""Statuses that one query reads at most."""


def scheduling(steps: Iterable[ReplayStep], *, letters: int) -> Iterator[ReplayStep]:
    """Pass the steps of a replay on, and show them on a terminal."""
    with _progress() as progress:
        task = progress.add_task("scheduling", total=letters, note="")
        for step in steps:
            progress.advance(task, step.letters)
            yield step


def followed(store: Store, ids: Sequence[UUID]) -> Counter[Status]:
    """Wait until notifications have ended, and return how many ended with each status."""
    ended: Counter[Status] = Counter()
    pending = list(ids)
    with _progress() as progress:
        task = progress.add_task("sending", total=len(ids), note="")
        while pending:
            found = _final_statuses(store, pending)
            ended.update(found.values())
            pending = [id_ for id_ in pending if id_ not in found]
            progress.update(task, completed=ended.total(), note=words(ended))
            if pending:
                time.sleep(_INTERVAL)
    return ended


def words(ended: Counter[Status]) -> str:
    """Return how many notifications ended with each status, the most frequent first."""
    return ", ".join(f"{number:,} {status}" for status, number in ended.most_common())


def _final_statuses(store: Store, ids: Sequence[UUID]) -> dict[UUID, Status]:
    found: dict[UUID, Status] = {}
    for start in range(0, len(ids), _AT_ONCE):
        with store.reading() as connection:
            found |= read_final_statuses(connection, ids[start : start + _AT_ONCE])
    return found


def _progress() -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
