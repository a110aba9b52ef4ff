"""Delivering: check, claim, call, record; then one decision a message."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import structlog

from notify import contract
from notify.delivery.call import Answer, call
from notify.delivery.decision import Again, Arrival, Dead, Decision, Done, Tally
from notify.delivery.ending import LOOK_AGAIN, Endings
from notify.delivery.limits import Limits
from notify.delivery.permits import Permits
from notify.delivery.plan import Ask, Plan, Planner
from notify.delivery.recorder import Recorder
from notify.errors import DecodeError, StoreError, StoreRefused
from notify.gateway import Gateway
from notify.message import Channel, Status
from notify.retry import RetryPolicy, Verdict
from notify.store import Claim, Claimed, Store
from notify.store.probe import probe
from notify.templating import Templates

__all__ = ["Again", "Arrival", "Dead", "Decision", "Delivery", "Done", "Limits"]

LEASE = timedelta(seconds=60)
"""How long a claim holds; longer than the slowest call may take."""

log = structlog.get_logger("notify.delivery")


class Delivery:
    """
    Takes messages in batches and settles each on its own.

    One transaction claims what a batch asks for, `senders` (`concurrency` threads, if None) make
    the calls side by side, and one recorder writes what has ended meanwhile: a slow call holds
    back nobody else's record. A claim is never larger than the calls that can start at once.
    """

    def __init__(
        self,
        *,
        store: Store,
        templates: Templates,
        gateways: Mapping[Channel, Gateway],
        limits: Limits,
        policy: RetryPolicy,
        concurrency: int,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
        senders: Executor | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self._store = store
        self._gateways = gateways
        self._limits = limits
        self._clock = clock
        self._monotonic = monotonic
        self._planner = Planner(gateways=gateways, templates=templates)
        self._permits = Permits(concurrency)
        self._senders = senders or ThreadPoolExecutor(concurrency, thread_name_prefix="sender")
        self._recorder = recorder or Recorder(store)
        self._endings = Endings(policy=policy, recorder=self._recorder, clock=clock)

    def start(self) -> None:
        """Begin to record; call once before the first `deliver`."""
        self._recorder.start()

    def stop(self, *, timeout: float) -> None:
        """Finish the calls and records in hand; `deliver` must not be called any more."""
        self._senders.shutdown()
        self._recorder.stop(timeout=timeout)
        for gateway in self._gateways.values():
            gateway.close()

    def deliver(self, arrivals: Sequence[Arrival]) -> bool:
        """
        Begin to deliver; returns when all calls have begun, or the record cannot be used.

        Each arrival's `settle` is called once, when all that it asks for is on record.

        Returns:
            Whether the record took every claim. If not, what was not claimed is `Again`.
        """
        waiting = [ask for arrival in arrivals for ask in self._decode(arrival)]
        while waiting:
            permits = self._permits.take(len(waiting))
            following, worked = self._begin(waiting[:permits])
            waiting[:permits] = following
            if not worked:
                for ask in waiting:
                    ask.decide_all(Again(LOOK_AGAIN))
                return False
        return True

    def record_answers(self) -> bool:
        """Tell whether the record can be written; may take as long as a claim that fails."""
        try:
            with self._store.writing() as connection:
                probe(connection)
        except StoreError:
            return False
        return True

    def _decode(self, arrival: Arrival) -> list[Ask]:
        """Read one message; what does not keep the contract is settled at once."""
        limits = self._limits
        try:
            first, *others = contract.decode(
                arrival.incoming,
                max_body_bytes=limits.max_body_bytes,
                max_recipients=limits.max_recipients,
                require_user_id=limits.require_user_id,
                trusted_user=limits.trusted_user,
                now=self._clock(),
            )
        except DecodeError as error:
            log.warning(
                "notify.dead",
                cause="contract",
                reason=str(error),
                routing_key=arrival.incoming.routing_key,
                message_id=arrival.incoming.message_id,
            )
            arrival.settle(Dead())
            return []
        return [Ask(first, Tally(arrival.settle, 1 + len(others)), others)]

    def _begin(self, asks: Sequence[Ask]) -> tuple[list[Ask], bool]:
        """
        Claim what is asked, one permit each, and start the calls.

        Returns:
            What is to be asked next, and whether the record could be used.
        """
        now = self._clock()
        deadline = self._monotonic() + LEASE.total_seconds()
        calls = 0
        following: list[Ask] = []
        try:
            plans = [self._planner.plan(ask, now=now) for ask in _distinct(asks)]
            answers = self._claim(plans, now=now)
            for planned, claimed in zip(plans, answers, strict=True):
                plan = planned.under(claimed.id) if claimed else planned
                answer = claimed.claim if claimed else None
                following += _following(plan.ask, answer)
                if claimed and answer is Claim.OWNED and plan.message is not None:
                    self._senders.submit(self._send, plan, claimed, deadline)
                    calls += 1
                elif claimed and answer is Claim.LAPSED:
                    self._endings.call_lapsed(plan, claimed)
                else:
                    plan.ask.tally.add(_without_call(plan, answer))
        finally:
            self._permits.give(len(asks) - calls)
        return following, None not in answers

    def _claim(self, plans: Sequence[Plan], *, now: datetime) -> list[Claimed | None]:
        """Claim all in one transaction; None stands for what the store would not take now."""
        try:
            return [*self._store.claim([plan.entry for plan in plans], now=now, lease=LEASE)]
        except StoreRefused as error:
            # One bad row fails the whole transaction: find it, and spare its neighbours.
            if len(plans) > 1:
                return [answer for plan in plans for answer in self._claim([plan], now=now)]
            log.error("notify.refused", id=str(plans[0].ask.notification.id), error=str(error))
            return [Claimed(Claim.CONFLICT)]
        except StoreError as error:
            log.error("notify.store_away", waiting=len(plans), error=str(error))
            return [None] * len(plans)

    def _send(self, plan: Plan, claimed: Claimed, deadline: float) -> None:
        assert plan.line is not None  # noqa: S101 - only plans with a call come here
        assert plan.message is not None  # noqa: S101
        if self._monotonic() < deadline:
            answer = call(plan.line, plan.message)
        else:
            reason = "the worker was held up past its lease, so the call was not made"
            answer = Answer(Verdict.RETRY, reason=reason)
        self._permits.give()
        self._endings.call_ended(plan, claimed, answer)


def _distinct(asks: Sequence[Ask]) -> list[Ask]:
    """Let one claim hold a notification once; its double is looked at again afterwards."""
    seen: set[object] = set()
    distinct = []
    for ask in asks:
        keys = {ask.notification.id, ask.notification.key}
        if seen & keys:
            ask.decide_all(Again(LOOK_AGAIN))
            continue
        seen |= keys
        distinct.append(ask)
    return distinct


def _following(ask: Ask, answer: Claim | None) -> list[Ask]:
    """
    Ask for a batch's other recipients once its first is known.

    All share one digest, so the first tells whether the whole request is in conflict: then
    none of it may be sent, not even to recipients that the record has never seen.
    """
    match answer:
        case Claim.CONFLICT:
            decision: Decision = Dead()
        case None:
            decision = Again(LOOK_AGAIN)
        case _:
            return [Ask(other, ask.tally) for other in ask.others]
    for _ in ask.others:
        ask.tally.add(decision)
    return []


def _without_call(plan: Plan, answer: Claim | None) -> Decision:
    """Decide on a notification for which no call is made."""
    identity = {"id": str(plan.ask.notification.id), "source": plan.ask.notification.source}
    match answer:
        case None | Claim.BUSY:
            return Again(LOOK_AGAIN)
        case Claim.DUPLICATE:
            log.info("notify.duplicate", **identity)
            return Done()
        case Claim.DEAD:
            log.info("notify.dead_again", **identity)
            return Dead()
        case Claim.CONFLICT:
            log.warning("notify.dead", **identity, cause="conflict")
            return Dead()
        case Claim.OWNED if plan.entry.status is Status.SCHEDULED:
            log.info("notify.scheduled", **identity)
            return Done()
        case Claim.OWNED | Claim.LAPSED:
            entry = plan.entry
            log.warning("notify.dead", **identity, cause=str(entry.status), reason=entry.reason)
            return Dead()
