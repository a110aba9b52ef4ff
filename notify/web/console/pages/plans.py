"""Plans: the list, one with its progress and result, its start and its stop."""

from __future__ import annotations

from notify.people import Role
from notify.plans import (
    MOST_ITEMS,
    BulkPlan,
    Item,
    ItemState,
    PlanAction,
    PlanState,
    find_plans,
    read_items,
    read_plan,
    start_plan,
    stop_plan,
)
from notify.status.plans import forecast_as_json, seconds_left, waits_for_runner
from notify.web.console.bulk import BulkQuestion, confirmation, confirmed
from notify.web.console.pages.fields import number_part, word
from notify.web.console.routing import (
    Answer,
    ConsoleAction,
    ConsolePage,
    Missing,
    Nav,
    Redirect,
    View,
    Visit,
)

PATH = "/plans"
ON_A_PAGE = 50
SETTLED = (ItemState.DONE, ItemState.SKIPPED, ItemState.REFUSED)
_LETTERS = (PlanAction.REPLAY, PlanAction.DISCARD)


def needs(action: PlanAction) -> Role:
    """Return the role that may make and start a plan; to stop one is for each operator."""
    return Role.ADMIN if action is PlanAction.SUPPRESS else Role.OPERATOR


def permitted(visit: Visit) -> list[PlanAction]:
    """Return the actions of the plans that the user may make."""
    return [each for each in PlanAction if visit.may(needs(each))]


def plans(visit: Visit) -> View:
    """Show one page of plans, the newest first."""
    state = word(visit.query, "state", PlanState)
    before = visit.query.get("before")
    with visit.site.store.reading() as connection:
        found = find_plans(
            connection,
            state=state,
            before=number_part(before) if before else None,
            limit=ON_A_PAGE + 1,
        )
    shown = found[:ON_A_PAGE]
    values = {
        "plans": shown,
        "state": state,
        "states": list(PlanState),
        "actions": permitted(visit),
        "settled": SETTLED,
        "next": visit.query.query(before=str(shown[-1].id)) if len(found) > ON_A_PAGE else "",
        "newest": visit.query.query(before=None),
        "paged": bool(before),
    }
    return View("plans.html.j2", title="Plans", values=values)


def plan(visit: Visit) -> View:
    """Show one plan: selection, forecast, progress, result, and its items by their state."""
    found = find_plan(visit)
    state = word(visit.query, "items", ItemState)
    after = visit.query.number("after", default=0, least=0, most=MOST_ITEMS)
    items: list[Item] = []
    if state is not None:
        with visit.site.store.reading() as connection:
            items = read_items(
                connection,
                found.id,
                state=state,
                after=after,
                limit=ON_A_PAGE + 1,
            )
    shown = items[:ON_A_PAGE]
    now = visit.site.store.clock()
    following = visit.query.query(after=str(shown[-1].position)) if items[ON_A_PAGE:] else ""
    values = {
        "plan": found,
        "options": {name: each for name, each in found.options.items() if name != "replay_id"},
        "forecast": forecast_as_json(found),
        "left": seconds_left(found, now=now),
        "waits": waits_for_runner(found, now=now),
        "settled": SETTLED,
        "states": list(ItemState),
        "state": state,
        "items": [(each, _link(found, each)) for each in shown],
        "next": following,
        "newest": visit.query.query(after=None),
        "paged": bool(after),
        "may_start": visit.may(needs(found.action)),
        "commands": _commands(found),
    }
    return View("plan.html.j2", title=f"Plan {found.id}: {found.action}", values=values)


def find_plan(visit: Visit) -> BulkPlan:
    """
    Return the plan of the path.

    Raises:
        Missing: There is none.
    """
    id_ = number_part(visit.parts["id"])
    with visit.site.store.reading() as connection:
        found = read_plan(connection, id_)
    if found is None:
        raise Missing(f"there is no plan {id_}: retention may have deleted it")
    return found


def start(visit: Visit) -> Answer:
    """Start a plan, or continue it, once the number of its open items is typed."""
    found = find_plan(visit)
    visit.require(needs(found.action))
    startable = found.state in (PlanState.READY, PlanState.STOPPED)
    if startable and not confirmed(visit, found.open):
        question = BulkQuestion(
            action=f"{found.action.capitalize()} {found.open:,}",
            count=found.open,
            explain=[
                f"At {found.rate:g} a second, plan {found.id} takes at least"
                f" {found.open / found.rate:,.0f} seconds.",
                *(f"{each['count']:,} {each['word']}: {each['effect']}." for each in _now(found)),
                "An item that has changed since is skipped or refused. The plan can be stopped.",
            ],
        )
        return confirmation(visit, question)
    start_plan(visit.site.store, found.id, visit.actor())
    return Redirect(f"{PATH}/{found.id}")


def stop(visit: Visit) -> Answer:
    """Stop a plan, without a question: to stop is always safe."""
    found = find_plan(visit)
    stop_plan(visit.site.store, found.id, visit.actor())
    return Redirect(f"{PATH}/{found.id}")


def _now(found: BulkPlan) -> list[dict[str, object]]:
    """Return the forecast of a plan that has not begun."""
    return forecast_as_json(found) if found.position == 0 else []


def _link(found: BulkPlan, item: Item) -> str:
    """Return the path of an item's page; holds have none."""
    if found.action in _LETTERS:
        return f"/dead-letters/{item.key}"
    return "" if found.action is PlanAction.RELEASE else f"/notifications/{item.key}"


def _commands(found: BulkPlan) -> list[str]:
    commands = [f"notify plan show {found.id} --items refused"]
    if found.state in (PlanState.READY, PlanState.STOPPED):
        commands.append(f"notify plan start {found.id}")
    if found.state is PlanState.RUNNING:
        commands.append(f"notify plan stop {found.id}")
    return commands


ROUTES = (
    ConsolePage(path=PATH, needs=Role.VIEWER, show=plans, nav=Nav("Messages", "Plans")),
    ConsolePage(path=f"{PATH}/{{id}}", needs=Role.VIEWER, show=plan),
    ConsoleAction(path=f"{PATH}/{{id}}/start", needs=Role.OPERATOR, act=start),
    ConsoleAction(path=f"{PATH}/{{id}}/stop", needs=Role.OPERATOR, act=stop),
)
