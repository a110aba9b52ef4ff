"""`notify plan`, as a person or a script calls it."""

from __future__ import annotations

import json
from functools import partial
from uuid import uuid4

import pytest

from notify.cli.dead import choice
from notify.store import Store
from tests.support.burying import arrival, body_of, bury
from tests.support.commands import Notify
from tests.support.planning import acts_audited, parked, scheduled

WHY = ("--reason", "INC-7")


@pytest.fixture(autouse=True)
def _ann(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make ann the operator."""
    monkeypatch.setenv("SUDO_USER", "ann")


@pytest.fixture
def plan(notify: Notify) -> Notify:
    """Call `notify plan` as the console script does."""
    return partial(notify, "plan")


@pytest.fixture
def dead(store: Store) -> None:
    """Three dead letters of a source that no worker has seen."""
    bodies = [body_of(uuid4(), data={"code": "123456"}) for _ in range(3)]
    bury(store, *(arrival(body, exchange="notify", headers={}) for body in bodies))


@pytest.mark.usefixtures("dead")
def test_a_plan_is_made_shown_and_performed(store: Store, plan: Notify) -> None:
    """Each step says what the next one is; `--here` needs no worker."""
    done = plan("new", "replay", "--source", "shop", "--rate", "100", *WHY)
    assert (done.code, done.err) == (0, "")
    assert "never sent  3  replayed" in done.out
    assert "filter  source shop" in done.out
    assert done.out.endswith("`notify plan start 1` starts it\n")
    assert "ready, takes at least 0.0 s" in plan("show", 1).out
    done = plan("start", 1, "--yes", "--here", "--json")
    assert done.code == 0
    found = json.loads(done.out)
    assert (found["state"], found["done"], found["open"]) == ("done", 3, 0)
    assert found["results"] == {"done": {"replayed": 3}}
    (line,) = plan("ls", "--json").out.splitlines()
    assert json.loads(line)["started_by"].startswith("ann@")
    assert [action for action, *_ in acts_audited(store)] == [
        *("plan.new", "plan.start", "dead.replay", "plan.done"),
    ]


@pytest.mark.usefixtures("dead")
def test_a_plan_starts_and_stops(store: Store, plan: Notify) -> None:
    """Without a worker it waits, and says so; a script gets the open items."""
    done = plan("new", "discard", *WHY, "--start", "--yes", "--json")
    assert json.loads(done.out)["state"] == "running"
    found = json.loads(plan("stop", 1, "--json").out)
    assert (found["state"], found["open"], found["total"]) == ("stopped", 3, 3)
    again = plan("stop", 1)
    assert (again.code, again.err) == (1, "notify: plan 1 is stopped: there is nothing to stop\n")
    listed = plan("show", 1, "--items", "open", "--json").out
    assert [each["item"] for each in json.loads(listed)["items"]] == [1, 2, 3]
    assert store.revision()


def test_each_action_has_its_filters(store: Store, plan: Notify, notify: Notify) -> None:
    """As the single commands have them; a status that the action cannot use is a mistake."""
    scheduled(store)
    parked(store)
    assert notify("hold", "--source", "crm", "--reason", "INC-7").code == 0
    for arguments in (
        ("cancel", "--source", "shop"),
        ("resolve", "--as", "sent"),
        ("release", "--source", "crm"),
        ("suppress", "--status", "unknown", "--scope", "source:shop", "--for", "30d"),
    ):
        done = plan("new", *arguments, *WHY, "--json")
        assert done.code == 0, done.err
        found = json.loads(done.out)
        assert (found["action"], found["total"], found["state"]) == (arguments[0], 1, "ready")
    assert plan("new", "cancel", "--status", "sent", *WHY).code == 2
    assert plan("new", "resolve", *WHY).code == 2
    none = plan("new", "release", "--source", "unheard-of", *WHY)
    assert (none.code, none.err) == (1, "notify: nothing matches: no plan is made\n")


def test_a_plan_that_does_not_exist_is_named(store: Store, plan: Notify) -> None:
    """With the command that lists them."""
    assert store.revision()
    for command in ("show", "start", "stop"):
        done = plan(command, 7, *(["--yes"] if command == "start" else []))
        assert (done.code, done.err) == (
            1,
            "notify: there is no plan 7; `notify plan ls` lists them\n",
        )


@pytest.mark.usefixtures("dead")
def test_many_dead_letters_are_changed_by_a_plan_only(
    notify: Notify, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commands that act at once name the one that can be stopped."""
    monkeypatch.setattr(choice, "MOST_AT_ONCE", 1)
    for action in ("replay", "discard"):
        done = notify("dead", action, *WHY, "--yes")
        assert done.code == 1
        assert f"use `notify plan new {action}` with these filters, or --limit" in done.err
    assert notify("dead", "replay", "--limit", "1", *WHY, "--yes").code == 0


def test_a_plan_shows_what_it_skipped(store: Store, plan: Notify, notify: Notify) -> None:
    """The reason of each item, one a line."""
    id_ = scheduled(store)
    done = plan("new", "cancel", *WHY)
    assert "scheduled  1  cancelled" in done.out
    assert notify("cancel", id_).code == 0
    assert "skipped  1  cancelled" in plan("start", 1, "--yes", "--here").out
    assert f"{id_}  skipped  cancelled" in plan("show", 1, "--items", "skipped").out
