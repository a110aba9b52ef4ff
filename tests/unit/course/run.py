"""Runs the machine under one set of terms, and counts its steps."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import pytest
import structlog
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from notify.deadletters import replay
from notify.delivery import recorder
from notify.keyring import CLEAR, Keyring
from tests.support.examples import ALL, examples
from tests.unit.course.base import Base, Terms
from tests.unit.course.machine import Course
from tests.unit.course.trouble import Trouble
from tests.unit.course.vendor import Answer

COURSES = examples(20)
LENGTH = 100
TURNS = 5
ENOUGH = 100 * COURSES
"""The least number of steps of a run: in continuous integration, three make tens of thousands."""

EVERYWHERE = frozenset(
    {
        *(str(one) for one in (*Answer, *Trouble)),
        *("end: sent", "end: rejected", "end: expired", "end: cancelled"),
        *("dead letter: contract", "dead letter: conflict", "dead letter: delivery_limit"),
        *("dead letter: rejected", "dead letter: unroutable", "dead letter: expired"),
        *("notify.fenced", "notify.duplicate", "notify.dead_again", "notify.store_away"),
        *("notify.decided", "notify.resolved", "notify.parked", "notify.provider_fault"),
    }
)
"""The faults, ends and log events that every run of all courses must include to be meaningful."""


def run(
    terms: Terms, *, number: int, also: Collection[str], keyring: Keyring = CLEAR
) -> Counter[str]:
    """
    Run many courses; return how often each thing occurred.

    Args:
        number: The seed of the courses; COURSE in the environment changes it.
        also: Must occur in the default courses, in addition to `EVERYWHERE`.
        keyring: Seals the record.
    """
    other = int(os.environ.get("COURSE", "0"))
    seen: Counter[str] = Counter()
    base = Base(keyring)

    class Here(Course):
        def __init__(self) -> None:
            super().__init__(base, terms, seen)

    wanted = EVERYWHERE | frozenset(also) if ALL and not other else frozenset()
    with pytest.MonkeyPatch.context() as patch, _counted(seen):
        # Small groups, so that replays alternate; and no pause between two tries to record.
        patch.setattr(replay, "GROUP", 2)
        patch.setattr(recorder, "SHORTEST_PAUSE", 0.0)
        for turn in range(TURNS):
            # What Hypothesis draws depends on the constants of all modules that are imported, not
            # on the seed alone, so that some of the runs include a rare end only in a later turn.
            _play(Here, number=1000 * other + 10 * number + turn)
            if wanted <= seen.keys():
                break
    assert seen["acts"] >= ENOUGH, f"{seen['acts']} acts in {seen['steps']} steps"
    assert wanted <= seen.keys(), f"never seen: {sorted(wanted - seen.keys())}"
    return seen


def _play(course: type[Course], *, number: int) -> None:
    run_state_machine_as_test(
        seed(number)(course),
        settings=settings(
            max_examples=COURSES,
            stateful_step_count=LENGTH,
            deadline=None,
            database=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )


@contextmanager
def _counted(seen: Counter[str]) -> Iterator[None]:
    """Count the lines of the log by their events, instead of writing them."""

    def count(_: object, __: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
        seen[str(line["event"])] += 1
        raise structlog.DropEvent

    structlog.configure(processors=[count])
    try:
        yield
    finally:
        structlog.reset_defaults()
