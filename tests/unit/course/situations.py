"""Creates the situation that a step needs."""

from __future__ import annotations

from notify.message import Status
from notify.topology import DEAD
from tests.unit.course.fleet import Phase
from tests.unit.course.life import WAITING, Life
from tests.unit.course.producer import Kind
from tests.unit.course.vendor import Answer


def something_comes(life: Life) -> None:
    """Make a message wait for a worker."""
    life.publish(Kind.PLAIN)


def something_is_unacknowledged(life: Life) -> None:
    """Make a worker stop before a call."""
    life.comes(Kind.PLAIN, Answer.ACCEPTED, until=Phase.CLAIMED)


def a_call_fails(life: Life) -> None:
    """Make a call fail temporarily, and the next one due."""
    if not life.rows(*WAITING):
        life.comes(Kind.PLAIN, Answer.AWAY)
    life.world.clock.passes(10)


def an_answer_is_lost(life: Life) -> None:
    """Lose a call's answer."""
    life.comes(Kind.PLAIN, Answer.LOST if life.steps % 2 else Answer.NOTHING)


def a_look_up_comes_due(life: Life) -> None:
    """Lose an answer, and advance to its look-up."""
    if not life.rows(Status.UNKNOWN):
        an_answer_is_lost(life)
    life.world.clock.passes(35)


def something_waits(life: Life) -> None:
    """Make a notification wait for its due time."""
    life.comes(Kind.SCHEDULED, Answer.ACCEPTED)


def something_dies(life: Life) -> None:
    """Create a dead letter."""
    life.comes(Kind.UNRENDERABLE, Answer.ACCEPTED)


def something_is_archived(life: Life) -> None:
    """Create a dead letter, and archive it."""
    if not life.world.broker.queues[DEAD]:
        something_dies(life)
    life.world.archive(most=3)
