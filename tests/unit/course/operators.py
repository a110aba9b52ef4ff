"""Operators' actions in a simulated world, and vendors' late evidence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from notify.deadletters import Replayer, ReplayRequest
from notify.message import Outcome
from notify.reconcile.verdict import Resolution, decide
from notify.store.audit import Actor as Person
from notify.store.delivery.cancel import cancel_waiting
from tests.support.burying import LIMITS
from tests.support.resolving import resolve
from tests.unit.course.reference import Actor
from tests.unit.course.world import World

SOMEBODY = Person("ann@ops", "INC-7")
HOPELESS = ("contract", "unroutable")
"""Causes of death that need an edit of the letter."""


@dataclass(frozen=True, slots=True)
class Operators:
    """Operators, who act on the record and never on the broker."""

    world: World

    def cancel(self, id_: str) -> None:
        """Cancel a notification, or a batch."""
        world = self.world
        with world.act(Actor.CANCELLER), world.base.store.writing() as connection:
            cancel_waiting(connection, UUID(id_), now=world.now())

    def decide(self, id_: str, *, resend: bool) -> None:
        """Read the vendor's log, or not, and decide."""
        finding = Resolution.RESEND
        if not resend:
            taken = any(call.taken for call in self.world.book.of(id_))
            finding = Resolution.SENT if taken else Resolution.NOT_SENT
        with self.world.act(Actor.JUDGE, licence=resend):
            decide(self.world.base.store, UUID(id_), finding, SOMEBODY, now=self.world.now())

    def tell_news(self, attempt: str) -> None:
        """Report a call's outcome, as a vendor's webhook would."""
        world = self.world
        taken = any(call.taken for call in world.book.calls if call.attempt == attempt)
        outcome = Outcome.ACCEPTED if taken else Outcome.NOT_SENT
        with world.act(Actor.JUDGE):
            resolve(world.base.store, UUID(attempt), outcome, reason="news", clock=world.now)

    def waiting(self) -> list[int]:
        """List the waiting dead letters that may be sent unchanged."""
        letters = self.world.latest.letters
        waiting = (each for each in letters if each.state == "waiting")
        return [each.id for each in waiting if each.cause not in HOPELESS]

    def replay(self, *, include_unknown: bool, twice: bool = False, stops: bool = False) -> int:
        """
        Replay all waiting letters; return how many notifications were scheduled.

        Args:
            twice: Two operators replay the same list at once.
            stops: The replay is killed after the first few.
        """
        order = ReplayRequest(self.waiting(), rate=10.0, include_unknown=include_unknown)
        done: list[UUID] = []
        with self.world.act(Actor.REPLAYER, licence=include_unknown):
            planned = self._replayer().plan(order).replayed.total()
            done += self._perform(order, [1, 2] if twice else [1], stops=stops)
            assert len(done) == len(set(done)), "a notification was replayed twice at once"
            assert stops or len(done) == planned, f"{planned} were planned, {len(done)} replayed"
        return len(done)

    def _perform(self, order: ReplayRequest, numbers: Iterable[int], *, stops: bool) -> list[UUID]:
        """Replay in groups, in turns; the numbers are those of the replays."""
        turns = [
            self._replayer().replay(order, SOMEBODY, replay_id=UUID(int=number))
            for number in numbers
        ]
        done: list[UUID] = []
        while turns:
            turn = turns.pop(0)
            step = next(turn, None)
            done += step.replayed if step else []
            turns += [turn] if step and not stops else []
        return done

    def _replayer(self) -> Replayer:
        world = self.world
        lanes = list(world.terms.lanes)
        return Replayer(world.base.store, limits=LIMITS, lanes=lanes, clock=world.now)
