"""The end of every course: everything is repaired, comes to rest, and is checked."""

from __future__ import annotations

from collections import Counter

from notify.ledger.ledger import build_ledger
from notify.message import Status
from tests.unit.course.fleet import Phase
from tests.unit.course.operators import Operators
from tests.unit.course.snapshot import Key, histories
from tests.unit.course.vendor import Answer
from tests.unit.course.world import World

ROUNDS = 30
"""Minutes after which everything must have come to rest."""


def come_to_rest(world: World) -> None:
    """Run without faults until nothing is left to do; replay dead letters."""
    world.base.troubles.pass_by()
    world.book.answer = Answer.ACCEPTED
    _drain(world)
    if Operators(world).replay(include_unknown=True):
        _drain(world)


def judge_ends(world: World) -> None:
    """Each notification has ended, once, or a dead letter waits for an operator."""
    waiting, kept = _letters(world, "waiting"), _letters(world, "waiting", "replayed")
    for row in world.latest.rows.values():
        assert row.stands.final or row.key in waiting, f"{row.id} has not ended: {row.status}"
        if row.stands in (Status.FAILED, Status.EXPIRED):
            assert row.key in kept, f"{row.id} is {row.status} and no dead letter"
    world.reference.ends_once(histories(world.base.driver))
    judge_books(world)


def judge_books(world: World) -> None:
    """The product's own ledger adds up, and finds no contradiction."""
    with world.base.troubles.spare():
        ledger = build_ledger(world.base.store, now=world.now())
    assert ledger.balanced, f"{ledger.faults}, difference {ledger.difference}"


def tell(world: World) -> Counter[str]:
    """Count how the course ended."""
    told = Counter(f"end: {row.status}" for row in world.latest.rows.values())
    told.update(f"dead letter: {letter.cause}" for letter in world.latest.letters)
    for lane, number in world.reference.doubles().items():
        told[f"sent more than once: {world.terms.lanes[lane]}"] += number
    return told


def _drain(world: World) -> None:
    for _ in range(ROUNDS):
        if world.due(Status.SCHEDULED, Status.QUEUED):
            world.relay()
        for worker in range(len(world.workers)):
            world.work(worker, Phase.SETTLED, most=100)
        while world.due(Status.UNKNOWN) and world.reconcile():
            pass
        world.archive(most=100)
        due = [row for row in world.latest.rows.values() if row.due_at]
        left = [*world.broker.messages(), *due]
        if not left:
            return
        world.clock.passes(61)
    raise AssertionError(f"it does not come to rest: {left}")


def _letters(world: World, *states: str) -> set[Key]:
    """Return the requests of the dead letters in some states."""
    letters = [each for each in world.latest.letters if each.state in states]
    wants = [world.reader.wants(each.body, each.routing_key) for each in letters]
    return {key for want in wants for key, _ in want}
