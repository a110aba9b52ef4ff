"""Delivering: check, claim, call, record; then one decision a message."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from notify import contract
from notify.delivery.call import Answer, call
from notify.delivery.decision import Again, Arrival, Dead, Decision, Done, Tally
from notify.delivery.permits import Permits
from notify.delivery.plan import Ask, Plan, Planner
from notify.delivery.recorder import Ending, Recorder
from notify.errors import DecodeError, StoreError, StoreRefused
from notify.gateway import Gateway
from notify.message import Channel, Outcome, Status
from notify.store import Claim, Record, Store
from notify.templating import Templates

__all__ = ["Again", "Arrival", "Dead", "Decision", "Delivery", "Done", "Limits"]

LEASE = timedelta(seconds=60)
"""How long a claim holds; longer than the slowest call may take."""

LOOK_AGAIN = 1.0
"""Seconds until a message is looked at again that another worker holds, or the store refused."""

DEAD_ENDS = frozenset({Status.EXPIRED, Status.FAILED})
"""An operator may want to mend these and replay them."""

log = structlog.get_logger("notify.delivery")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a message may be at most."""

    max_body_bytes: int
    max_recipients: int
    require_user_id: bool


class Delivery:
    """
    Takes messages in batches and settles each on its own.

    One transaction claims what a batch asks for, `concurrency` threads make the calls side by
    side, and one recorder writes what has ended meanwhile: a slow call holds back nobody else's
    record. A claim is never larger than the number of calls that can start at once.
    """

    def __init__(
        self,
        *,
        store: Store,
        templates: Templates,
        gateways: Mapping[Channel, Gateway],
        limits: Limits,
        concurrency: int,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._gateways = gateways
        self._limits = limits
        self._clock = clock
        self._monotonic = monotonic
        self._planner = Planner(gateways=gateways, templates=templates)
        self._permits = Permits(concurrency)
        self._senders = ThreadPoolExecutor(concurrency, thread_name_prefix="sender")
        self._recorder = Recorder(store)

    def start(self) -> None:
        """Begin to record; call once before the first `deliver`."""
        self._recorder.start()

    def stop(self, *, timeout: float) -> None:
        """Finish the calls and records in hand; `deliver` must not be called any more."""
        self._senders.shutdown()
        self._recorder.stop(timeout=timeout)
        for gateway in self._gateways.values():
            gateway.close()

    def deliver(self, arrivals: Sequence[Arrival]) -> None:
        """
        Begin to deliver; returns when all calls have begun.

        Each arrival's `settle` is called once, when all that it asks for is on record.
        """
        waiting = [ask for arrival in arrivals for ask in self._decode(arrival)]
        while waiting:
            permits = self._permits.take(len(waiting))
            waiting[:permits] = self._begin(waiting[:permits])

    def _decode(self, arrival: Arrival) -> list[Ask]:
        """Read one message; what does not keep the contract is settled at once."""
        limits = self._limits
        try:
            first, *others = contract.decode(
                arrival.incoming,
                max_body_bytes=limits.max_body_bytes,
                max_recipients=limits.max_recipients,
                require_user_id=limits.require_user_id,
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

    def _begin(self, asks: Sequence[Ask]) -> list[Ask]:
        """Claim what is asked, one permit each; start the calls; give what is to be asked next."""
        now = self._clock()
        deadline = self._monotonic() + LEASE.total_seconds()
        calls = 0
        following: list[Ask] = []
        try:
            plans = [self._planner.plan(ask, now=now) for ask in _distinct(asks)]
            for plan, answer in zip(plans, self._claim(plans, now=now), strict=True):
                following += _following(plan.ask, answer)
                if answer is Claim.OWNED and plan.message is not None:
                    self._senders.submit(self._send, plan, deadline)
                    calls += 1
                else:
                    plan.ask.tally.add(_without_call(plan, answer))
        finally:
            self._permits.give(len(asks) - calls)
        return following

    def _claim(self, plans: Sequence[Plan], *, now: datetime) -> list[Claim | None]:
        """Claim all in one transaction; None stands for what the store would not take now."""
        try:
            answers = self._store.claim([plan.entry for plan in plans], now=now, lease=LEASE)
            return list(answers)
        except StoreRefused as error:
            # One bad row fails the whole transaction: find it, and spare its neighbours.
            if len(plans) > 1:
                return [answer for plan in plans for answer in self._claim([plan], now=now)]
            log.error("notify.refused", id=str(plans[0].ask.notification.id), error=str(error))
            return [Claim.CONFLICT]
        except StoreError as error:
            log.error("notify.store_away", waiting=len(plans), error=str(error))
            return [None] * len(plans)

    def _send(self, plan: Plan, deadline: float) -> None:
        assert plan.line is not None  # noqa: S101 - only plans with a call come here
        assert plan.message is not None  # noqa: S101
        if self._monotonic() < deadline:
            answer = call(plan.line, plan.message)
        else:
            reason = "the worker was held up past its lease, so the call was not made"
            answer = Answer(Outcome.NOT_SENT, Status.FAILED, reason=reason)
        self._permits.give()
        record = _record(plan, answer, at=self._clock())
        self._recorder.put(Ending(record, lambda owned: _recorded(plan, record, owned=owned)))


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
        case Claim.UNKNOWN:
            log.warning("notify.unknown", **identity, reason="the call's worker never came back")
            return Done()
        case Claim.CONFLICT:
            log.warning("notify.dead", **identity, cause="conflict")
            return Dead()
        case Claim.OWNED:
            entry = plan.entry
            log.warning("notify.dead", **identity, cause=str(entry.status), reason=entry.reason)
            return Dead()


def _record(plan: Plan, answer: Answer, *, at: datetime) -> Record:
    assert plan.entry.attempt_id is not None  # noqa: S101 - only plans with a call come here
    return Record(
        notification_id=plan.ask.notification.id,
        attempt_id=plan.entry.attempt_id,
        ended_at=at,
        outcome=answer.outcome,
        status=answer.status,
        provider_id=answer.provider_id,
        http_status=answer.http_status,
        code=answer.code,
        reason=answer.reason,
    )


def _recorded(plan: Plan, record: Record, *, owned: bool) -> None:
    """Decide on a notification whose call is on record."""
    if not owned:
        log.error("notify.fenced", id=str(record.notification_id), outcome=record.outcome)
        plan.ask.tally.add(Again(LOOK_AGAIN))
        return
    tell = log.info if record.status is Status.SENT else log.warning
    event = f"notify.{record.status}"
    tell(
        event,
        id=str(record.notification_id),
        attempt_id=str(record.attempt_id),
        channel=plan.ask.notification.channel,
        lane=plan.ask.notification.lane,
        source=plan.ask.notification.source,
        provider=plan.entry.provider,
        http_status=record.http_status,
        code=record.code,
        reason=record.reason,
    )
    plan.ask.tally.add(Dead() if record.status in DEAD_ENDS else Done())
