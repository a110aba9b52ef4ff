"""Bulk plans on both databases: each action from its selection to its result."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, func, insert, select, update

from notify.deadletters import discard
from notify.doctor import Severity
from notify.doctor.plans import findings
from notify.errors import NotifyError
from notify.flow import Holds
from notify.flow.overrides import place_hold, release_holds
from notify.message import Status
from notify.plans import (
    HoldFilter,
    ItemState,
    PlanAction,
    PlanRunner,
    PlanState,
    effect,
    find_plans,
    make_plan,
    start_plan,
    stop_plan,
)
from notify.policies.holds import Scope
from notify.privacy import Keep, delete_old
from notify.privacy.erasure import Person, erase, look
from notify.reconcile import Resolution, decide
from notify.store import Entry, Filter, Store
from notify.store.deadletters import LetterFilter
from notify.store.tables import attempts, dead_letters, notifications, plan_items, plans
from tests.support.burying import arrival, body_of, buried, bury
from tests.support.planning import (
    ANN,
    BOB,
    Ahead,
    acts_audited,
    acts_on,
    items_of,
    made,
    parked,
    performed,
    plan_of,
    request,
    run,
    scheduled,
)
from tests.support.recording import accepted, asked, begin, claim_one


def _stop_clock(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the record's clock: on a busy machine the rate would allow a slice more."""
    now = store.clock()
    monkeypatch.setattr(store, "clock", lambda: now)


def _status(store: Store, id_: object) -> Status:
    with store.reading() as connection:
        found = select(notifications.c.status).where(notifications.c.id == id_)
        return Status(connection.execute(found).scalar_one())


def _bury(store: Store, number: int) -> None:
    bury(store, *(arrival(body_of(uuid4()), exchange="notify", headers={}) for _ in range(number)))


def test_a_replay_sends_what_was_never_sent_and_says_why_it_refuses_the_rest(
    store: Store,
) -> None:
    """The frozen count is by assessment; each letter has its result, and the acts their audit."""
    sent = begin(store)
    store.record([accepted(sent)])
    again = body_of(sent.notification.id, idempotency_key=sent.notification.idempotency_key)
    bury(store, arrival(body_of(uuid4()), exchange="notify", headers={}))
    bury(store, arrival(b"{", exchange="notify", headers={}))
    bury(store, arrival(again, exchange="notify", headers={}))
    plan = made(store, PlanAction.REPLAY, LetterFilter())
    assert (plan.state, plan.total) == (PlanState.READY, 3)
    assert plan.forecast["never sent"] == 1
    assert plan.forecast["unfit"] >= 1
    assert effect(plan.action, "never sent", plan.options) == "replayed"
    done = performed(store, plan)
    assert done.state is PlanState.DONE
    assert done.results["done"] == {"replayed": 1}
    assert done.settled(ItemState.REFUSED) == 2
    states = [state for state, _ in items_of(store, plan.id)]
    assert states == ["done", "refused", "refused"]
    with store.reading() as connection:
        found = select(dead_letters.c.replay_id).where(dead_letters.c.replay_id.is_not(None))
        replay_ids: list[UUID] = list(connection.execute(found).scalars())
    assert [str(each) for each in replay_ids] == [plan.options["replay_id"]]
    assert acts_audited(store) == [
        ("plan.new", "ann@ops-1", "INC-7"),
        ("plan.start", "bob@ops-1", "INC-8"),
        ("dead.replay", "bob@ops-1", "INC-7"),
        ("plan.done", "bob@ops-1", "INC-7"),
    ]


def test_the_selection_is_frozen(store: Store) -> None:
    """Letters that come later are not in it; one that is settled by its turn is skipped."""
    _bury(store, 3)
    plan = made(store, PlanAction.DISCARD, LetterFilter())
    _bury(store, 2)
    discard(store, [buried(store)[1].id], ANN, now=store.clock())
    done = performed(store, plan)
    assert done.results == {"done": {"discarded": 2}, "skipped": {"settled already": 1}}
    assert items_of(store, plan.id)[1] == ("skipped", "settled already")
    with store.reading() as connection:
        waiting = select(func.count()).where(dead_letters.c.state == "waiting")
        assert connection.execute(waiting).scalar_one() == 2


def test_waiting_notifications_are_cancelled(store: Store) -> None:
    """One that a worker has claimed in the meantime is skipped with its status."""
    first, second = scheduled(store), scheduled(store)
    sending = begin(store)
    plan = made(store, PlanAction.CANCEL, Filter(source="shop"))
    assert (plan.total, plan.forecast) == (2, {"scheduled": 2})
    with store.writing() as connection:
        late = update(notifications).where(notifications.c.id == second)
        connection.execute(late.values(status="sending"))
    done = performed(store, plan)
    assert done.results == {"done": {"cancelled": 1}, "skipped": {"sending": 1}}
    assert _status(store, first) is Status.CANCELLED
    assert _status(store, sending.notification.id) is Status.SENDING


@pytest.mark.parametrize(
    ("finding", "after"),
    [
        (Resolution.SENT, Status.SENT),
        (Resolution.NOT_SENT, Status.QUEUED),
        (Resolution.RESEND, Status.QUEUED),
    ],
)
def test_unknown_outcomes_are_decided_each_once(
    store: Store, finding: Resolution, after: Status
) -> None:
    """One that an operator has decided in the meantime keeps that decision."""
    ids = [parked(store) for _ in range(3)]
    plan = made(store, PlanAction.RESOLVE, Filter(), finding=finding)
    assert plan.forecast == {"unknown": 3}
    decide(store, ids[1], Resolution.SENT, ANN, now=store.clock())
    done = performed(store, plan)
    assert done.results == {"done": {"resolved": 2}, "skipped": {"sent": 1}}
    assert [_status(store, id_) for id_ in ids] == [after, Status.SENT, after]
    assert [action for action, *_ in acts_audited(store)].count("resolve") == 3


def test_a_finding_does_not_apply_to_a_call_that_began_after_the_plan(store: Store) -> None:
    """A second lost call may have sent it: `not-sent` would send it again, and unrecorded."""
    again, once = parked(store), parked(store)
    plan = made(store, PlanAction.RESOLVE, Filter(), finding=Resolution.NOT_SENT)
    call = {"id": uuid4(), "notification_id": again, "number": 2, "provider": "sendgrid"}
    with store.writing() as connection:
        lost = {"started_at": store.clock(), "ended_at": store.clock(), "outcome": "unknown"}
        connection.execute(insert(attempts).values(**call, **lost))
    done = performed(store, plan)
    assert done.results == {"done": {"resolved": 1}, "skipped": {"called again since": 1}}
    assert (_status(store, again), _status(store, once)) == (Status.UNKNOWN, Status.QUEUED)


def test_an_erased_recipient_is_not_sent_to_again(store: Store) -> None:
    """The forecast shows it, and the item is refused."""
    erased = parked(store, to="bob@example.com")
    parked(store)
    person = Person("bob@example.com")
    found = look(store, person)
    erase(store, person, found, ANN, cancel=True, now=store.clock())
    with store.writing() as connection:
        # As an erasure leaves one that an operator has to decide.
        row = update(notifications).where(notifications.c.id == erased)
        connection.execute(row.values(status="unknown", unsettled=True))
    plan = made(store, PlanAction.RESOLVE, Filter(), finding=Resolution.RESEND)
    assert plan.forecast == {"unknown": 1, "recipient erased": 1}
    done = performed(store, plan)
    assert done.results == {"done": {"resolved": 1}, "refused": {"recipient erased": 1}}


def test_holds_are_released(store: Store) -> None:
    """By their scope; one that another operator has released is skipped."""
    scopes = [Scope(source="crm", lane=lane) for lane in ("bulk", "normal")]
    one, two = (place_hold(store, each, ANN, seconds=None).id for each in scopes)
    place_hold(store, Scope(source="shop"), ANN, seconds=None)
    plan = made(store, PlanAction.RELEASE, HoldFilter(ids=(one, two)))
    assert (plan.total, plan.forecast) == (2, {"in force": 2})
    release_holds(store, lambda hold: hold.id == two, BOB)
    done = performed(store, plan)
    assert done.results == {"done": {"released": 1}, "skipped": {"ended already": 1}}
    left = made(store, PlanAction.RELEASE, HoldFilter(scope=Scope(source="shop")))
    assert left.total == 1


def _keep(store: Store, hold: int, **changes: Any) -> UUID:
    """Set one notification aside for a hold, as a worker does."""
    far = store.clock() + timedelta(days=7)
    entry = Entry(asked(**changes), Status.QUEUED, due_at=far, hold_id=hold)
    claim_one(store, entry, now=store.clock())
    return entry.notification.id


def _due(store: Store) -> set[UUID]:
    columns = notifications.c
    query = select(columns.id).where(columns.due_at <= store.clock(), columns.hold_id.is_(None))
    with store.reading() as connection:
        return set(connection.execute(query).scalars())


def test_notifications_that_a_hold_set_aside_come_due_at_the_rate(store: Store) -> None:
    """Not all at its end; a stop keeps the others waiting, and one that came late is not kept."""
    hold = place_hold(store, Scope(source="crm"), ANN, seconds=None).id
    kept = [_keep(store, hold, source="crm") for _ in range(5)]
    plan = made(store, PlanAction.RELEASE, HoldFilter(), rate=2.0)
    assert (plan.total, plan.forecast) == (6, {"in force": 1, "notifications set aside": 5})
    late = _keep(store, hold, source="crm")
    start_plan(store, plan.id, BOB)
    clock = Ahead(store)
    runner = PlanRunner(store, acts_on(store), clock=store.clock)
    assert runner.step() is True
    assert len(_due(store)) == 1
    Holds(store).refresh()
    Holds(store).refresh()
    assert _due(store) >= {late}
    assert len(_due(store)) == 2
    stop_plan(store, plan.id, BOB)
    again = place_hold(store, Scope(source="crm"), ANN, seconds=None).id
    with store.writing() as connection:
        held = update(notifications).where(notifications.c.id == kept[4])
        connection.execute(held.values(hold_id=again))
    start_plan(store, plan.id, BOB)
    done = run(store, plan.id, clock=clock)
    assert done.results == {
        "done": {"released": 1, "due": 4},
        "skipped": {"on hold or due already": 1},
    }
    assert [action for action, *_ in acts_audited(store)].count("release") == 1


def test_a_retry_is_not_brought_forward(store: Store) -> None:
    """One that was sent and failed since waits as its provider asked, not for a hold."""
    hold = place_hold(store, Scope(source="crm"), ANN, seconds=None).id
    failed, kept = (_keep(store, hold, source="crm") for _ in range(2))
    plan = made(store, PlanAction.RELEASE, HoldFilter())
    call = {"id": uuid4(), "notification_id": failed, "number": 1, "provider": "sendgrid"}
    with store.writing() as connection:
        connection.execute(insert(attempts).values(**call, started_at=store.clock()))
    done = performed(store, plan)
    assert done.results["skipped"] == {"called again since": 1}
    assert _due(store) == {kept}


def test_recipients_are_suppressed_once(store: Store) -> None:
    """By the hash of their notification; the list has each once, for the time that was asked."""
    for to in ("ann@example.com", "bob@example.com", "ann@example.com"):
        store.record([accepted(begin(store, to=to), status=Status.SENT)])
    plan = made(
        store, PlanAction.SUPPRESS, Filter(status=Status.SENT), scope="source:shop", lasts=3600.0
    )
    assert plan.forecast == {"recipients": 3}
    done = performed(store, plan)
    assert done.results == {"done": {"added": 2}, "skipped": {"on the list already": 1}}


def test_a_plan_stops_at_once_and_goes_on(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """No item is acted on after the stop; the next start continues with the rest."""
    _bury(store, 10)
    plan = made(store, PlanAction.DISCARD, LetterFilter(), rate=2.0)
    _stop_clock(store, monkeypatch)
    start_plan(store, plan.id, BOB)
    clock = Ahead(store)
    runner = PlanRunner(store, acts_on(store), clock=clock)
    assert runner.step() is True
    assert runner.step() is None
    stopped = stop_plan(store, plan.id, BOB)
    assert (stopped.state, stopped.position) == (PlanState.STOPPED, 2)
    clock.ahead += timedelta(hours=1)
    assert runner.step() is False
    with pytest.raises(NotifyError, match="is stopped: there is nothing to stop"):
        stop_plan(store, plan.id, BOB)
    start_plan(store, plan.id, ANN)
    assert run(store, plan.id).results == {"done": {"discarded": 10}}
    with pytest.raises(NotifyError, match="it is done"):
        start_plan(store, plan.id, ANN)


def test_the_rate_is_kept_on_the_record(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second runner does not double it, and time without a runner is made up for 2 s at most."""
    _bury(store, 60)
    plan = made(store, PlanAction.DISCARD, LetterFilter(), rate=10.0)
    _stop_clock(store, monkeypatch)
    start_plan(store, plan.id, BOB)
    clock = Ahead(store)
    runners = [PlanRunner(store, acts_on(store), clock=clock) for _ in range(2)]
    assert [each.step() for each in runners] == [True, None]
    assert plan_of(store, plan.id).position == 10
    clock.ahead += timedelta(seconds=60)
    assert [runners[n % 2].step() for n in range(4)] == [True, True, True, None]
    assert plan_of(store, plan.id).position == 40


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), 1e-300, 0.0])
def test_a_rate_that_no_runner_can_keep_makes_no_plan(store: Store, rate: float) -> None:
    """The runner would fail at its slice, before all other plans, again and again."""
    _bury(store, 1)
    wanted = replace(request(PlanAction.DISCARD, LetterFilter()), rate=rate)
    with pytest.raises(NotifyError, match="the rate is not a number"):
        make_plan(store, acts_on(store), wanted, ANN)


def test_nothing_that_matches_makes_no_plan(store: Store) -> None:
    """An operator who mistypes a filter learns it at once."""
    with pytest.raises(NotifyError, match="nothing matches"):
        made(store, PlanAction.DISCARD, LetterFilter(source="nobody"))
    with store.reading() as connection:
        assert find_plans(connection, limit=1) == []


def test_a_plan_keeps_no_recipient(store: Store) -> None:
    """Its filter is shown without what may be personal data; its reason is erased with a person."""
    scheduled(store)
    wanted = Filter(recipient="ann@example.com", since=timedelta(hours=-1))
    plan = make_plan(store, acts_on(store), request(PlanAction.CANCEL, Filter(source="shop")), ANN)
    assert plan.filter == {"source": "shop"}
    with pytest.raises(NotifyError):
        made(store, PlanAction.CANCEL, wanted)
    own = made(store, PlanAction.CANCEL, Filter(recipient="ann@example.com"))
    assert own.filter == {"recipient": "(not kept)"}
    with store.writing() as connection:
        connection.execute(update(plans).values(reason="asked by ann@example.com"))
    person = Person("ann@example.com")
    erase(store, person, look(store, person), ANN, cancel=True, now=store.clock())
    assert "ann@" not in plan_of(store, own.id).reason


def test_retention_deletes_a_plan_with_its_items(store: Store) -> None:
    """Counted from its last change; one that a runner should act on stays."""
    _bury(store, 7)
    old = made(store, PlanAction.DISCARD, LetterFilter())
    running = made(store, PlanAction.DISCARD, LetterFilter())
    start_plan(store, running.id, BOB)
    day = timedelta(days=1)
    keep = Keep(lanes={}, others=400 * day, waiting=400 * day, audit=400 * day, plans=30 * day)
    delete_old(store, keep, now=store.clock() + 29 * day, batch=3)
    assert plan_of(store, old.id).total == 7
    delete_old(store, keep, now=store.clock() + 31 * day, batch=3)
    with store.reading() as connection:
        assert connection.execute(select(plans.c.id)).scalars().all() == [running.id]
        left = select(plan_items.c.plan_id).distinct()
        assert connection.execute(left).scalars().all() == [running.id]


def test_a_notification_that_retention_deleted_is_skipped(store: Store) -> None:
    """A frozen row may be gone by its turn."""
    id_ = scheduled(store)
    plan = made(store, PlanAction.CANCEL, Filter())
    with store.writing() as connection:
        connection.execute(delete(notifications).where(notifications.c.id == id_))
    assert performed(store, plan).results == {"skipped": {"not on record": 1}}


def test_the_doctor_finds_a_plan_that_no_process_works_on(store: Store) -> None:
    """It would wait for ever, and its operator may have gone home."""
    assert [each.found for each in findings(store)] == ["none is running"]
    _bury(store, 1)
    plan = made(store, PlanAction.DISCARD, LetterFilter())
    start_plan(store, plan.id, BOB)
    (fine,) = findings(store)
    assert (fine.verdict, fine.fix) == (Severity.OK, None)
    with store.writing() as connection:
        earlier = store.clock() - timedelta(minutes=1)
        connection.execute(update(plans).values(next_at=earlier))
    (found,) = findings(store)
    assert found.verdict is Severity.WARN
    assert found.found == f"plan {plan.id} is running, and no process works on it"
