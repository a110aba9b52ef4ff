"""Delivering: check, admit, claim, call, record; then one decision a message."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from datetime import datetime

import structlog

from notify import contract
from notify.contract import Limits
from notify.delivery.call_runner import LATEST, CallRunner
from notify.delivery.claiming import Claimer, distinct, following, without_call
from notify.delivery.decision import Again, Arrival, Dead, Settlement
from notify.delivery.lane import Lane
from notify.delivery.metrics import DeliveryMetrics
from notify.delivery.outcome_recorder import LOOK_AGAIN, OutcomeRecorder
from notify.delivery.pacer import Pacer
from notify.delivery.plan import DeliveryItem, Plan, Planner
from notify.delivery.recorder import Recorder
from notify.errors import DecodeError, StoreError
from notify.flow import Admission, Flow
from notify.gateway import Gateway
from notify.policies.retry import RetryPolicy
from notify.store import Claim, Claimed, Store
from notify.store.delivery import LEASE
from notify.telemetry.metrics import Metrics
from notify.telemetry.tracing import NOT_TRACED, Tracing, nanoseconds_now
from notify.templating import Templates

log = structlog.get_logger("notify.delivery")


class Delivery:
    """
    Takes messages of one channel in batches and settles each on its own.

    What flow control lets through is claimed in one transaction, each lane's threads make the
    calls side by side, and one recorder writes what has ended meanwhile: a slow call holds back
    nobody else's record. A claim is never larger than the number of calls that can start at once.
    """

    def __init__(
        self,
        *,
        store: Store,
        templates: Templates,
        gateway: Gateway,
        flow: Flow,
        shares: Mapping[str, float],
        limits: Limits,
        policy: RetryPolicy,
        concurrency: int,
        metrics: Metrics | None = None,
        tracing: Tracing = NOT_TRACED,
        clock: Callable[[], datetime] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        senders: Executor | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        """
        Take the parts.

        Args:
            shares: The lanes to deliver, and which part of each limit's burst each may use.
            concurrency: Calls in flight, for each lane.
            metrics: Where to count what happens; nowhere that is looked at, if None.
            tracing: Begins the trace of each delivery.
            senders: What makes the calls of all lanes; threads for each lane, if None.
            recorder: What writes how they ended; one in a thread of its own, if None.
        """
        self._store = store
        self._gateway = gateway
        self._limits = limits
        self._clock = clock or store.clock
        self._monotonic = monotonic
        self._planner = Planner(channels={gateway.channel}, templates=templates)
        admission = Admission(flow, gateway, shares=shares, monotonic=monotonic)
        self._turnstile = Pacer(admission, clock=self._clock, monotonic=monotonic, sleep=sleep)
        self._flow = flow
        self._tracing = tracing
        self._lanes = {name: Lane(name, concurrency, senders=senders) for name in shares}
        self._recorder = recorder or Recorder(store)
        self._claimer = Claimer(store)
        self._figures = DeliveryMetrics(
            metrics or Metrics(),
            channel=gateway.channel,
            lanes=shares,
            providers=[line.name for line in gateway.lines],
            clock=self._clock,
        )
        self._endings = OutcomeRecorder(
            policy=policy, recorder=self._recorder, figures=self._figures, clock=self._clock
        )
        self._calls = CallRunner(
            store=store,
            flow=flow,
            admission=admission,
            endings=self._endings,
            figures=self._figures,
            monotonic=monotonic,
            sleep=sleep,
        )

    def start(self) -> None:
        """Begin to record; call once before the first `deliver`."""
        self._recorder.start()

    def stop(self, *, timeout: float) -> None:
        """Finish the calls and records in hand; `deliver` must not be called any more."""
        for lane in self._lanes.values():
            lane.senders.shutdown()
        self._recorder.stop(timeout=timeout)
        self._gateway.close()

    def deliver(self, arrivals: Sequence[Arrival]) -> bool:
        """
        Begin to deliver; returns when all calls have begun, or the record cannot be used.

        Each arrival's `settle` is called once, when all that it asks for is on record, or is
        there to wait.

        Returns:
            Whether the record took every claim. If not, what was not claimed is `Again`.
        """
        try:
            now = self._clock()
        except StoreError:
            for arrival in arrivals:
                arrival.settle(Again(LOOK_AGAIN))
            return False
        by_lane: dict[str, list[DeliveryItem]] = {}
        for arrival in arrivals:
            for ask in self._decode(arrival, now=now):
                by_lane.setdefault(ask.notification.lane, []).append(ask)
        worked = True
        for name, waiting in by_lane.items():
            worked = self._deliver(name, waiting) and worked
        return worked

    def _deliver(self, name: str, waiting: list[DeliveryItem]) -> bool:
        lane = self._lanes.get(name) or next(iter(self._lanes.values()))
        while waiting:
            permits = lane.permits.take(len(waiting))
            more, worked = self._begin(lane, waiting[:permits])
            waiting[:permits] = more
            if not worked:
                for ask in waiting:
                    ask.decide_all(Again(LOOK_AGAIN))
                return False
        return True

    def hurry(self) -> None:
        """Finish soon: what may not go at once is put off. More may still be delivered."""
        self._turnstile.hurry()

    def in_flight(self) -> Mapping[str, int]:
        """Tell by lane how many calls are under way."""
        return {name: lane.permits.taken for name, lane in self._lanes.items()}

    def record_answers(self) -> bool:
        """Tell whether the record can be written; may take as long as a claim that fails."""
        return self._store.answers()

    def _decode(self, arrival: Arrival, *, now: datetime) -> list[DeliveryItem]:
        """Read one message; what does not keep the contract is settled at once."""
        try:
            first, *others = contract.decode(arrival.incoming, self._limits, now=now)
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
        tally = Settlement(arrival.settle, 1 + len(others))
        return [DeliveryItem.begin(first, tally, self._tracing, others=others)]

    def _begin(self, lane: Lane, asks: Sequence[DeliveryItem]) -> tuple[list[DeliveryItem], bool]:
        """
        Let through what is asked, one permit each; claim it, and start the calls.

        Returns:
            What is to be asked next, and whether the record could be used.
        """
        now = self._clock()
        more: list[DeliveryItem] = []
        begun = 0
        left = {id(ask): ask for ask in distinct(asks)}
        try:
            plans = [self._planner.plan(ask, now=now) for ask in left.values()]
            for group in self._turnstile.groups(plans):
                for plan in group:
                    del left[id(plan.ask)]
                following, calls, worked = self._claim(lane, group)
                more += following
                begun += calls
                if not worked:
                    return [*more, *left.values()], False
        except StoreError as error:
            log.error("notify.store_away", waiting=len(left), error=str(error))
            return [*more, *left.values()], False
        finally:
            lane.permits.give(len(asks) - begun)
        return more, True

    def _claim(self, lane: Lane, plans: Sequence[Plan]) -> tuple[list[DeliveryItem], int, bool]:
        """Claim a group, start its calls; give what follows, how many calls, and if it worked."""
        deadline = self._monotonic() + LATEST
        began = nanoseconds_now()
        answers = self._claimer.claim(plans, now=self._clock(), lease=LEASE)
        ended = nanoseconds_now()
        more: list[DeliveryItem] = []
        calls = 0
        for planned, claimed in zip(plans, answers, strict=True):
            plan = planned.under(claimed.id) if claimed else planned
            answer = claimed.claim if claimed else None
            self._figures.claimed(plan.entry, claimed)
            plan.ask.trace.note("claim", began, ended)
            more += following(plan.ask, answer, self._tracing)
            if claimed and answer is Claim.OWNED and plan.pass_ is not None:
                lane.senders.submit(self._call, lane, plan, claimed, deadline)
                calls += 1
                continue
            if plan.pass_ is not None:
                self._flow.circuits.released(plan.pass_)
            if claimed and answer is Claim.LAPSED:
                self._endings.call_lapsed(plan, claimed)
            else:
                plan.ask.tally.add(without_call(plan, claimed))
        return more, calls, None not in answers

    def _call(self, lane: Lane, plan: Plan, claimed: Claimed, deadline: float) -> None:
        try:
            ended = self._calls.make(plan, claimed, deadline=deadline)
            self._endings.call_ended(*ended)
        except Exception as error:
            # Nobody else would hear of it, and the message would stay in hand for ever. Looked at
            # again, its claim is found once it has lapsed, and the rule for lost answers decides.
            log.error("notify.call_fault", **plan.ask.notification.ids, exc_info=error)
            plan.ask.tally.add(Again(LOOK_AGAIN))
        finally:
            lane.permits.give()
