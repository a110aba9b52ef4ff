"""`notify dead plan` promises no replay that dies again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from notify.message import Status
from notify.store import Filter, Store
from tests.support.burying import arrival, bury
from tests.support.commands import Notify

WHY = ("--reason", "INC-7", "--yes")
CONFIG = """
[channels.sms]
providers = ["sms"]
countries = ["DE"]

[providers]
sms = { use = "providers.memory:Memory", options = { channel = "sms" } }

[templates]
folder = "FOLDER"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A templates folder with one template, and SMS to one country."""
    made = tmp_path / "templates" / "code"
    made.mkdir(parents=True)
    (made / "email.subject.j2").write_text("Your code")
    (made / "email.text.j2").write_text("It is {{ code }}.")
    (made / "sms.text.j2").write_text("Code {{ code }}.")
    config = tmp_path / "notify.toml"
    config.write_text(CONFIG.replace("FOLDER", str(made.parent)))
    monkeypatch.setenv("NOTIFY_CONFIG", str(config))
    return made


def _template(id_: UUID | None = None, **fields: object) -> bytes:
    request = {"id": str(id_ or uuid4()), "to": "ann@example.com", "template": "code"}
    return json.dumps({**request, **fields}).encode()


def _plan(notify: Notify, *words: object) -> dict[str, Any]:
    plan: dict[str, Any] = json.loads(notify("dead", "plan", "--json", *words).out)
    return plan


@pytest.fixture
def planted(store: Store) -> UUID:
    """Letters 1 to 6: fine, data lacking, no such template, half a batch, a country, expired."""
    good = uuid4()
    bury(store, arrival(_template(good, data={"code": "1"})))
    bury(store, arrival(_template()), arrival(_template(template="nope")))
    both = [{"to": "ann@example.com", "data": {"code": "1"}}, "bob@example.com"]
    bury(store, arrival(_template(to=both)))
    number = _template(to="+33612345678", data={"code": "1"})
    bury(store, arrival(number, key="sms.normal.shop"))
    bury(store, arrival(_template(expires_at="2020-01-01T00:00:00Z")))
    return good


@pytest.mark.usefixtures("planted")
def test_plan_counts_what_would_fail_again_and_the_reasons(notify: Notify) -> None:
    """By the workers' templates and countries; expired ones are counted as expired."""
    plan = _plan(notify)
    assert plan["notifications"] == {"never_sent": 2, "would_fail": 4, "expired": 1}
    assert plan["replayed"] == 2
    reasons = plan["unfit"]
    ids = sorted(map(int, reasons))
    assert len(ids) == 4
    told = "\n".join(reasons.values())
    assert "missing data: 'code' is undefined" in told
    assert "there is no template 'nope'" in told
    assert "1 of 2: " in told
    assert "SMS to FR are not allowed" in told
    shown = notify("dead", "plan").out
    assert "would fail" in shown
    assert "skipped: fix its template" in shown


def test_replay_skips_what_would_fail_again(notify: Notify, store: Store, planted: UUID) -> None:
    """It sends the rest, of a batch too, and the letters go on waiting."""
    assert notify("dead", "replay", *WHY, "--no-wait").code == 0
    queued = store.find(Filter(status=Status.QUEUED))
    assert len(queued) == 2
    assert planted in {each.id for each in queued}
    assert _plan(notify)["notifications"]["would_fail"] == 4


def test_a_fixed_template_is_all_that_is_needed(notify: Notify, store: Store, folder: Path) -> None:
    """The plan is of this moment."""
    bury(store, arrival(_template()))
    assert _plan(notify)["replayed"] == 0
    (folder / "email.text.j2").write_text("Hello.")
    assert _plan(notify)["replayed"] == 1


def test_a_mending_that_would_fail_is_refused(notify: Notify, store: Store, tmp_path: Path) -> None:
    """Before it is saved, with the reason that a worker would record."""
    id_ = uuid4()
    bury(store, arrival(_template(id_)))
    body = tmp_path / "body.json"
    body.write_bytes(_template(id_, data={"cod": "1"}))
    done = notify("dead", "replay", 1, "--body", body, *WHY)
    assert done.code == 1
    assert "missing data: 'code' is undefined" in done.err


def test_a_suppressed_recipient_is_not_promised_a_send(notify: Notify, store: Store) -> None:
    """The worker would end it as suppressed; after a lift it is sent."""
    bury(store, arrival(_template(data={"code": "1"})))
    assert _plan(notify)["replayed"] == 1
    assert notify("suppress", "add", "ann@example.com", *WHY[:2]).code == 0
    plan = _plan(notify)
    assert (plan["replayed"], plan["notifications"]) == (0, {"would_fail": 1})
    assert [*plan["unfit"].values()] == ["suppressed: operator, see notify suppress show 1"]
    notify("suppress", "lift", "1", *WHY[:2])
    assert _plan(notify)["replayed"] == 1
