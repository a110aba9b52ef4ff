"""A replay on its way, as its operator sees it: lined up, then sent."""

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
from notify.store.deadletters import read_statuses

_LOOK = 0.5
_AT_ONCE = 500


def lined_up(steps: Iterable[ReplayStep], *, letters: int) -> Iterator[ReplayStep]:
    """Show the letters being lined up, on a terminal only; passes the steps on."""
    with _progress() as progress:
        task = progress.add_task("lining up", total=letters, note="")
        for step in steps:
            progress.advance(task, step.letters)
            yield step


def followed(store: Store, ids: Sequence[UUID]) -> Counter[Status]:
    """Show notifications ending until all have; give how they did."""
    ended: Counter[Status] = Counter()
    pending = list(ids)
    with _progress() as progress:
        task = progress.add_task("sending", total=len(ids), note="")
        while pending:
            found = _look(store, pending)
            ended.update(status for status in found.values() if status.final)
            pending = [id_ for id_ in pending if id_ not in found or not found[id_].final]
            progress.update(task, completed=ended.total(), note=words(ended))
            if pending:
                time.sleep(_LOOK)
    return ended


def words(ended: Counter[Status]) -> str:
    """Tell how notifications ended, the most frequent end first."""
    return ", ".join(f"{number:,} {status}" for status, number in ended.most_common())


def _look(store: Store, ids: Sequence[UUID]) -> dict[UUID, Status]:
    found: dict[UUID, Status] = {}
    for start in range(0, len(ids), _AT_ONCE):
        with store.reading() as connection:
            found |= read_statuses(connection, ids[start : start + _AT_ONCE])
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
