"""An incident, played in the console from the alert to the replayed dead letters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from playwright.sync_api import Browser, Page, expect

from notify.message import Status
from notify.people import Passwords, Role, add_account
from notify.sandbox.behaviour import Behaviour
from notify.stack.rabbitmq import free_ports
from notify.store import ActFilter, Actor, Filter, find_acts
from tests.support.browsing import axe_violations, sign_in
from tests.support.rig import Rig, surroundings, until

PASSWORD = "correct horse battery"
REASON = "INC-7: the vendor is down"
QUICK = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@dataclass(frozen=True)
class Incident:
    """A running service with its console, and how to break its vendor."""

    rig: Rig
    url: str

    def fail(self, number: int) -> None:
        """Have workers fail to deliver, and archive the messages."""
        self.rig.sandbox.switch.set(behaviour=Behaviour.DOWN)
        self.rig.requests(number)
        until(lambda: self.letters() == number)
        self.rig.sandbox.switch.set(behaviour=None)

    def letters(self) -> int:
        """Count the dead letters that wait."""
        query = "SELECT count(*) FROM dead_letters WHERE state = 'waiting'"
        with self.rig.store.reading() as connection:
            number: int = connection.exec_driver_sql(query).scalar_one()
        return number

    def has_sent(self, number: int) -> bool:
        """Return whether so many notifications were sent."""
        return self.rig.store.count(Filter()).get(Status.SENT, 0) == number

    def actions(self) -> list[str]:
        """Return what operators did since the last call, oldest first, with their names."""
        with self.rig.store.reading() as connection:
            acts = find_acts(connection, ActFilter(actor="olga"), limit=100)
        return [act.action for act in reversed(acts) if "sign" not in act.action]


@pytest.fixture
def incident(
    tmp_path: Path, broker_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Incident]:
    """Workers for email and dead letters, and the console, on SQLite."""
    monkeypatch.setenv("NOTIFY_LANES__NORMAL__ATTEMPTS", "1")
    url = f"sqlite:///{tmp_path}/notify.db"
    with surroundings(tmp_path, broker_url=broker_url, store_url=url) as rig:
        (port,) = free_ports(1)
        with rig.config.open("a") as file:
            file.write("[providers.sendgrid.breaker]\nminimum_calls = 1_000_000\n")
            file.write(f"[console]\nport = {port}\n")
        actor = Actor("root", "test")
        add_account(
            rig.store, "olga", role=Role.OPERATOR, password=PASSWORD, actor=actor, passwords=QUICK
        )
        with rig.worker("email"), rig.worker("dead", pool="dead"), _console(rig):
            yield Incident(rig, f"http://127.0.0.1:{port}")


@contextmanager
def _console(rig: Rig) -> Iterator[None]:
    ready = rig.folder / "console.ready"
    process = rig.command("web", "console", "--ready-file", ready)
    try:
        until(lambda: ready.exists() or process.poll() is not None)
        assert process.poll() is None
        yield
    finally:
        process.terminate()
        process.wait(30)


def test_an_incident_is_handled_in_the_console_alone(incident: Incident, chromium: Browser) -> None:
    """First with JavaScript, then without; each act is in the audit, and each message sent once."""
    for sent, scripts in ((3, True), (6, False)):
        incident.fail(3)
        _play(incident, chromium, scripts=scripts)
        until(partial(incident.has_sent, sent))
        assert incident.letters() == 0
    once = ["breaker.open", "breaker.auto", "dead.replay"]
    assert incident.actions() == once * 2
    assert len(incident.rig.sandbox.inbox) == 6


def _play(incident: Incident, chromium: Browser, *, scripts: bool) -> None:
    mistakes: list[str] = []
    with chromium.new_context(java_script_enabled=scripts) as context:
        page = context.new_page()
        page.on("pageerror", lambda error: mistakes.append(str(error)))
        page.on("console", lambda said: mistakes.append(said.text))
        sign_in(page, url=incident.url, name="olga", password=PASSWORD)
        _handle(page)
        found = violations(page, url=incident.url) if scripts else []
    assert mistakes == []
    assert found == []


PAGES = (
    "/notifications",
    "/unknown",
    "/dead-letters?state=all",
    "/dead-letters/1",
    "/plans",
    "/plan-new?action=replay",
    "/plan-new?action=suppress",
    "/holds",
    "/providers",
    "/providers/sendgrid",
    "/limits",
    "/sources",
    "/batches",
    "/suppressions",
    "/templates",
    "/templates/invoice",
)


def violations(page: Page, *, url: str) -> list[object]:
    """Return the rules of accessibility that pages break, and pages too wide for a phone."""
    found: list[object] = []
    for path in PAGES:
        page.goto(url + path)
        found += axe_violations(page)
        page.set_viewport_size({"width": 390, "height": 800})
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append((path, "too wide"))
        page.set_viewport_size({"width": 1280, "height": 720})
    return found


def _handle(page: Page) -> None:
    """Find the cause, stop the provider, let it go on, and replay."""
    # The overview raises the alert, and leads to the letters of the cause.
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.get_by_role("link", name="Dead letters").first.click()
    page.get_by_role("link", name="failed 3").click()
    # One of them, and the story of its notification.
    page.locator("tbody tr").first.get_by_role("link").click()
    page.get_by_role("link", name="The whole story").click()
    calls = page.get_by_role("region", name="Attempts")
    expect(calls.get_by_role("cell", name="503", exact=True)).to_be_visible()
    calls.get_by_role("link", name="sendgrid", exact=True).click()
    # Its provider is stopped, and goes on.
    page.get_by_label("Reason").fill(REASON)
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_text("forced: open")).to_be_visible()
    page.get_by_label("Reason").fill("INC-7: the vendor is back")
    page.get_by_role("button", name="Auto").click()
    expect(page.get_by_text("forced: open")).to_have_count(0)
    # All letters of the cause are replayed, once their number is typed.
    page.goto(page.url.split("/providers")[0] + "/dead-letters?cause=failed")
    page.get_by_label("All waiting letters").check()
    page.get_by_role("button", name="Replay").click()
    expect(page.get_by_role("heading", name="Replay 3 from 3 dead letters?")).to_be_visible()
    page.get_by_label("Reason").fill(REASON)
    page.get_by_label("Type the count").fill("3")
    page.get_by_role("button", name="Replay 3").click()
    expect(page.get_by_role("status").get_by_text("3", exact=True)).to_be_visible()
    page.get_by_role("link", name="Continue").click()
    expect(page.get_by_text("No dead letter matches")).to_be_visible()
