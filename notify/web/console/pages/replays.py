"""Acts on dead letters: replay and discard the selected ones, edit one and replay it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from uuid import uuid4

from notify.deadletters import Edit, Eligibility, ReplayPlan, ReplayRequest, discard
from notify.people import Role, record_disclosure
from notify.plans import MOST_AT_ONCE, PlanAction
from notify.store.deadletters import LetterFilter, LetterState, find_letter_ids
from notify.web.console.bulk import (
    BulkQuestion,
    BulkResult,
    NotDone,
    confirmation,
    confirmed,
    result,
)
from notify.web.console.pages.dead_letters import (
    PATH,
    find_one,
    letter_filter,
    letter_page,
)
from notify.web.console.pages.fields import chosen_numbers, number_part, positive
from notify.web.console.pages.plans_new import of_letters
from notify.web.console.params import FormMistake
from notify.web.console.routing import Answer, ConsoleAction, Redirect, View, Visit

_DEFAULT_RATE = 10.0
_WHY = {
    Eligibility.UNKNOWN: "they may have been sent: include unknown outcomes to replay them",
    Eligibility.ACCEPTED: "the provider has them",
    Eligibility.EXPIRED: "their time is over",
    Eligibility.IN_FLIGHT: "they are on their way already",
    Eligibility.REFUSED: "the provider will never accept them",
    Eligibility.WITHDRAWN: "they were cancelled or suppressed, or their recipient was erased",
    Eligibility.FAILS: "they would fail again: fix the template, or edit the letter",
    Eligibility.UNFIT: "they cannot be sent as they are written: edit the letter",
}
_REPLAYED = (Eligibility.NEVER_SENT, Eligibility.REPORT)


def replay(visit: Visit) -> Answer:
    """Replay the selected letters, or all that the filter finds; too many lead to a plan."""
    ids = _chosen(visit)
    if len(ids) > MOST_AT_ONCE:
        return Redirect(of_letters(PlanAction.REPLAY, visit.form))
    rate = positive(visit.form, "rate") if visit.form.get("rate") else _DEFAULT_RATE
    unknown = bool(visit.form.get("include_unknown"))
    request = ReplayRequest(ids, rate=rate, include_unknown=unknown)
    replayer = visit.site.open_replayer()
    plan = replayer.plan(request)
    number = plan.replayed.total() + plan.reports
    if not number or not confirmed(visit, number):
        return confirmation(visit, _question(visit, plan, request, number))
    return _perform(visit, request, plan, title="Replay", back=PATH)


def _question(visit: Visit, plan: ReplayPlan, request: ReplayRequest, number: int) -> BulkQuestion:
    seconds = plan.seconds(request.rate, now=visit.site.store.clock())
    return BulkQuestion(
        action=f"Replay {number:,} from {plan.letters:,} dead letters",
        count=number,
        explain=[
            "Each is scheduled under its own id, within the limits; none is sent twice.",
            f"At {request.rate:g} a second for each channel, it takes {seconds:,.0f} seconds.",
        ],
        skipped=list(_skipped(plan, request)),
    )


def _skipped(plan: ReplayPlan, request: ReplayRequest) -> Iterator[NotDone]:
    if plan.settled:
        yield NotDone(f"{plan.settled:,} dead letters", "they are no longer waiting")
    for eligibility, number in plan.eligibilities.items():
        included = eligibility is Eligibility.UNKNOWN and request.include_unknown
        if number and not included and eligibility not in _REPLAYED:
            yield NotDone(f"{number:,} {eligibility}", _WHY[eligibility])
    for id_, why in list(plan.unfit.items())[:50]:
        yield NotDone(f"dead letter {id_}", why, f"{PATH}/{id_}")


def _perform(
    visit: Visit, request: ReplayRequest, plan: ReplayPlan, *, title: str, back: str
) -> View:
    actor = visit.actor()
    steps = visit.site.open_replayer().replay(request, actor, replay_id=uuid4())
    done = sum(len(step.replayed) for step in steps) + plan.reports
    found = BulkResult(done=done, skipped=list(_skipped(plan, request)))
    return result(visit, title, found, back=back)


def discard_chosen(visit: Visit) -> Answer:
    """Mark the selected letters as discarded, once the number is typed; too many, by a plan."""
    ids = _chosen(visit)
    if len(ids) > MOST_AT_ONCE:
        return Redirect(of_letters(PlanAction.DISCARD, visit.form))
    if not confirmed(visit, len(ids)):
        question = BulkQuestion(
            action=f"Discard {len(ids):,} dead letters",
            count=len(ids),
            explain=["They stay in the archive; their notifications are not changed."],
        )
        return confirmation(visit, question)
    store = visit.site.store
    done = discard(store, ids, visit.actor(), now=store.clock())
    gone = len(ids) - done
    skipped = [NotDone(f"{gone:,} dead letters", "they were no longer waiting")] if gone else []
    return result(visit, "Discard", BulkResult(done=done, skipped=skipped), back=PATH)


def _chosen(visit: Visit) -> Sequence[int]:
    """
    Return the waiting letters that are selected, or that the filter finds; one too many at most.

    Raises:
        FormMistake: None is selected, or more than one page may select.
    """
    if not visit.form.get("all_matching"):
        ids = chosen_numbers(visit.form, most=MOST_AT_ONCE)
        if not ids:
            raise FormMistake("select at least one dead letter")
        wanted = LetterFilter(ids=ids, state=LetterState.WAITING)
    else:
        wanted = letter_filter(visit.form, state=LetterState.WAITING)
    with visit.site.store.reading() as connection:
        return find_letter_ids(connection, wanted, limit=MOST_AT_ONCE + 1)


def edit(visit: Visit) -> View:
    """Show one letter whole in a form that edits it, once the audit has a row for it."""
    one, content = find_one(visit, number_part(visit.parts["id"]))
    record_disclosure(visit.site.store, visit.actor(), details={"dead_letter": one.id})
    before = content.edit or Edit(one.id, content.body, content.routing_key)
    editing = {"body": before.body.decode(errors="replace"), "key": before.key}
    binary = editing["body"].encode() != before.body
    problem = (
        "the body is not UTF-8: replace it, or use notify dead replay --body" if binary else ""
    )
    values = {"editing": editing, "problem": problem}
    return letter_page(visit, one, content, revealed=True, values=values)


def replay_edited(visit: Visit) -> View:
    """Replay one letter with another body or routing key; say why if it cannot be sent."""
    one, content = find_one(visit, number_part(visit.parts["id"]))
    body, key = _raw(visit, "body"), visit.form.get("key")
    changed = Edit(one.id, body.replace("\r\n", "\n").encode(), key or content.routing_key)
    request = ReplayRequest(
        [one.id],
        rate=_DEFAULT_RATE,
        include_unknown=bool(visit.form.get("include_unknown")),
        edit=changed,
    )
    plan = visit.site.open_replayer().plan(request)
    problem = _problem(plan, request)
    if problem:
        record_disclosure(visit.site.store, visit.actor(), details={"dead_letter": one.id})
        values = {"editing": {"body": body, "key": changed.key}, "problem": problem}
        view = letter_page(visit, one, content, revealed=True, values=values)
        return replace(view, status=400)
    return _perform(
        visit, request, plan, title=f"Replay dead letter {one.id}", back=f"{PATH}/{one.id}"
    )


def _raw(visit: Visit, name: str) -> str:
    return (visit.form.all(name) or [""])[-1]


def _problem(plan: ReplayPlan, request: ReplayRequest) -> str:
    if plan.unfit:
        return "; ".join(plan.unfit.values())
    if plan.empty:
        reasons = [f"{each.what}: {each.why}" for each in _skipped(plan, request)]
        return "; ".join(reasons) or "there is nothing to replay"
    return ""


ROUTES = (
    ConsoleAction(path=f"{PATH}/replay", needs=Role.OPERATOR, act=replay),
    ConsoleAction(path=f"{PATH}/discard", needs=Role.OPERATOR, act=discard_chosen),
    ConsoleAction(path=f"{PATH}/{{id}}/edit", needs=Role.OPERATOR, act=edit),
    ConsoleAction(path=f"{PATH}/{{id}}/replay", needs=Role.OPERATOR, act=replay_edited),
)
