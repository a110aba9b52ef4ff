"""The pages of plans: made from a filter, started with the typed count, stopped; their result."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from sqlalchemy import update

from notify.errors import ConfigError
from notify.flow.overrides import place_hold
from notify.people import Role
from notify.plans import PlanAction, PlanState, read_plan
from notify.policies.holds import Scope
from notify.store import Filter
from notify.store.deadletters import LetterFilter
from notify.store.tables import plans
from notify.web.console.pages import replays
from notify.web.console.site import ConsoleSite
from tests.support.burying import arrival, body_of, bury
from tests.support.console import ConsoleRig
from tests.support.planning import ANN, acts_audited, made, parked, performed, run, scheduled

WHY = {"reason": "INC-7"}
HOSTILE = "<img src=x onerror=alert(1)>\"'`{{7*7}}"


@pytest.fixture
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleRig]:
    with ConsoleRig(tmp_path_factory.mktemp("console")) as rig:
        yield rig


def _bury(rig: ConsoleRig, number: int) -> None:
    some = [arrival(body_of(uuid4()), exchange="notify", headers={}) for _ in range(number)]
    bury(rig.store, *some)


def test_a_plan_is_made_started_and_stopped_in_the_browser(rig: ConsoleRig) -> None:
    """By the use cases of the command line: the audit has the user and the reason."""
    _bury(rig, 3)
    browser = rig.browser(Role.OPERATOR)
    form = browser.get("/plan-new?action=discard&source=shop")
    assert form.status_code == 200
    assert 'name="source" value="shop"' in form.text
    answer = browser.post("/plans", action="discard", source="shop", rate="5", **WHY)
    assert (answer.status_code, answer.headers["location"]) == (303, "/plans/1")
    page = browser.get("/plans/1").text
    assert "waiting" in page
    assert "discarded" in page
    question = browser.post("/plans/1/start", **WHY)
    assert "Type the count, 3" in question.text
    assert browser.post("/plans/1/start", confirm_count="3", **WHY).status_code == 303
    assert ">Stop<" in browser.get("/plans/1").text
    assert browser.post("/plans/1/stop", **WHY).status_code == 303
    assert "Continue…" in browser.get("/plans/1").text
    assert browser.post("/plans/1/stop", **WHY).status_code == 409
    assert browser.post("/plans/1/start", confirm_count="3", **WHY).status_code == 303
    done = run(rig.store, 1)
    assert done.results == {"done": {"discarded": 3}}
    page = browser.get("/plans/1?items=done").text
    assert page.count('href="/dead-letters/') >= 3
    acts = [act for act in acts_audited(rig.store) if act[0].startswith("plan.")]
    assert [act[0] for act in acts] == [
        *("plan.new", "plan.start", "plan.stop", "plan.start", "plan.done"),
    ]
    assert all("operator-1" in actor and reason == "INC-7" for _, actor, reason in acts)


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("cancel", {"q": "source:shop"}),
        ("resolve", {"q": "", "finding": "sent"}),
        ("release", {"source": "crm"}),
        ("suppress", {"q": "status:unknown", "scope": "source:shop", "lasts": "86400"}),
        ("replay", {"include_unknown": "1", "since": "86400"}),
    ],
)
def test_each_action_has_its_form(rig: ConsoleRig, action: str, fields: dict[str, str]) -> None:
    """The fields of the form are those that its post reads."""
    scheduled(rig.store)
    parked(rig.store)
    place_hold(rig.store, Scope(source="crm"), ANN, seconds=None)
    bury(
        rig.store,
        arrival(body_of(uuid4()), exchange="notify", headers={}),
        now=rig.store.clock(),
    )
    browser = rig.browser(Role.ADMIN if action == "suppress" else Role.OPERATOR)
    form = browser.get(f"/plan-new?action={action}").text
    assert all(f'name="{name}"' in form for name in fields)
    answer = browser.post("/plans", action=action, **fields, **WHY)
    assert answer.status_code == 303, answer.text
    with rig.store.reading() as connection:
        plan = read_plan(connection, 1)
    assert plan is not None
    assert (plan.action, plan.total, plan.state) == (action, 1, PlanState.READY)
    assert browser.get("/plans/1").status_code == 200
    assert f">{action}<" in browser.get("/plans").text


def test_only_an_admin_suppresses_by_a_plan(rig: ConsoleRig) -> None:
    """The suppression list is the admins', one entry or a hundred thousand."""
    parked(rig.store)
    operator, admin = rig.browser(Role.OPERATOR), rig.browser(Role.ADMIN)
    fields = {"action": "suppress", "q": "", **WHY}
    refused = operator.post("/plans", **fields)
    assert refused.status_code == 403
    assert "needs the role admin; yours is operator" in refused.text
    assert ">suppress<" not in operator.get("/plans").text
    assert admin.post("/plans", **fields).status_code == 303
    assert "/plans/1/start" not in operator.get("/plans/1").text
    start = {"confirm_count": "1", **WHY}
    assert operator.post("/plans/1/start", **start).status_code == 403
    assert admin.post("/plans/1/start", **start).status_code == 303
    assert operator.post("/plans/1/stop", **WHY).status_code == 303


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"action": "cancel", "q": "to:ann@example.com"}, "cannot select by an id, to:"),
        ({"action": "cancel", "q": "status:sent"}, "needs scheduled or queued"),
        ({"action": "resolve", "q": ""}, "choose what you found out"),
        ({"action": "suppress", "q": "", "scope": "nonsense"}, "scope is not all"),
        ({"action": "discard", "rate": "5000"}, "rate is above 1000"),
        ({"action": "discard", "limit": "1000000"}, "limit is not a whole number"),
        ({"action": "discard", "source": "nobody"}, "nothing matches"),
        ({"action": "explode"}, "is not known"),
        ({}, "choose an action"),
    ],
)
def test_a_plan_that_cannot_be_made_says_why(
    rig: ConsoleRig, fields: dict[str, str], words: str
) -> None:
    """And none is made."""
    answer = rig.browser(Role.ADMIN).post("/plans", **fields, **WHY)
    assert answer.status_code in (400, 409)
    assert words in answer.text.lower()
    with rig.store.reading() as connection:
        assert read_plan(connection, 1) is None


def test_too_many_dead_letters_lead_to_a_plan(
    rig: ConsoleRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the filter that was chosen, and not to an error."""
    _bury(rig, 3)
    monkeypatch.setattr(replays, "MOST_AT_ONCE", 2)
    browser = rig.browser(Role.OPERATOR)
    for action in ("replay", "discard"):
        answer = browser.post(f"/dead-letters/{action}", all_matching="1", source="shop")
        to = urlsplit(answer.headers["location"])
        assert (answer.status_code, to.path) == (303, "/plan-new")
        assert parse_qs(to.query) == {"action": [action], "source": ["shop"]}


def test_a_console_without_templates_leaves_the_counting_to_a_worker(
    rig: ConsoleRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan is made, and its page says what it waits for."""
    _bury(rig, 3)

    def missing(_: ConsoleSite) -> None:
        raise ConfigError("templates: there is no such folder")

    monkeypatch.setattr(ConsoleSite, "open_replayer", missing)
    browser = rig.browser(Role.OPERATOR)
    assert browser.post("/plans", action="replay", **WHY).status_code == 303
    assert "0 of 3 counted" in browser.get("/plans/1").text
    with rig.store.writing() as connection:
        connection.execute(update(plans).values(next_at=rig.store.clock() - timedelta(minutes=1)))
    assert "No process counts it" in browser.get("/plans/1").text
    assert browser.post("/plans/1/start", confirm_count="3", **WHY).status_code == 409


def test_nothing_of_a_plan_is_markup(rig: ConsoleRig) -> None:
    """A producer chooses sources and ids, an operator the reason."""
    scheduled(rig.store, source=HOSTILE[:31])
    plan = made(rig.store, PlanAction.CANCEL, Filter(source=HOSTILE[:31]))
    performed(rig.store, plan)
    with rig.store.writing() as connection:
        connection.exec_driver_sql("UPDATE plans SET reason = ?, actor = ?", (HOSTILE, HOSTILE))
        connection.exec_driver_sql("UPDATE plan_items SET reason = ?", (HOSTILE,))
    browser = rig.browser(Role.VIEWER)
    for path in ("/plans", "/plans/1", "/plans/1?items=done"):
        page = browser.get(path).text
        assert "<img" not in page
        assert "&lt;img" in page
        assert "`49" not in page, "what follows the backtick was evaluated"


def test_pages_of_plans_and_items_follow_each_other(rig: ConsoleRig) -> None:
    """Fifty a page; a viewer reads all and changes nothing."""
    _bury(rig, 55)
    plan = made(rig.store, PlanAction.DISCARD, LetterFilter())
    for _ in range(51):
        made(rig.store, PlanAction.DISCARD, LetterFilter(ids=[1]))
    performed(rig.store, plan)
    browser = rig.browser(Role.VIEWER)
    for path, link in (("/plans", "/plans/"), ("/plans/1?items=done", "/dead-letters/")):
        first = browser.get(path).text
        following = re.search(r'href="(\?[^"]*)" rel="next"', first)
        assert following is not None
        second = browser.get(path.split("?")[0] + following[1].replace("&amp;", "&")).text
        row = rf'<td data-label="(?:Plan|Item)"><a href="{link}'
        assert len(re.findall(row, first)) == 50
        assert 0 < len(re.findall(row, second)) < 10
    assert "plan-new" not in browser.get("/plans").text
    assert browser.get("/plans/99").status_code == 404
    assert browser.get("/plans/1?items=done&after=99999999999").status_code == 400


def test_a_refused_plan_keeps_what_was_entered(rig: ConsoleRig) -> None:
    """The form again, with the mistake and each value; nothing was made."""
    browser = rig.browser(Role.ADMIN)
    answer = browser.post(
        "/plans", action="resolve", q="code:503", since="3600", finding="not-sent", rate="7", **WHY
    )
    assert answer.status_code == 400
    text = answer.text
    assert "a plan cannot select by an id" in text
    assert 'value="code:503"' in text
    assert '<option value="3600" selected>' in text
    assert '<option value="not-sent" selected>' in text
    assert 'name="rate" value="7"' in text
    assert f'value="{WHY["reason"]}"' in text
    assert browser.post("/plans", action="replay", limit="0", **WHY).status_code == 400
    answer = browser.post("/plans", action="suppress", scope="x", binding="1", lasts="900", **WHY)
    assert 'name="binding" value="1" checked' in answer.text
    assert 'name="scope" value="x"' in answer.text
    assert rig.acts()[0].action == "console.sign_in"
