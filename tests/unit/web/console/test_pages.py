"""The console's pages and acts, in this process: they show the record and call the use cases."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import httpx
import pytest

from notify.errors import StoreError
from notify.flow import overrides
from notify.message import Channel, Status
from notify.people import Role
from notify.policies.breaker import Mode
from notify.policies.holds import Scope
from notify.settings import Settings
from notify.status.holds import read_holds
from notify.store import Actor, Entry
from notify.store.deadletters import LetterFilter, LetterState, count_letters
from notify.suppression import Suppression, SuppressionReason, add_entry
from tests.support import planting
from tests.support.console import Browser, ConsoleRig
from tests.support.recording import LEASE, NOW, accepted, asked, begin, call_for, put_off, rejected

ADDRESS = "ann@example.com"
HOSTILE = "<img src=x onerror=alert(1)>\"'`{{7*7}}"
"""A text that would run, break out of an attribute or be evaluated if it were not escaped."""
SETTINGS = Settings.model_validate(
    {
        "channels": {"email": {"providers": ["sendgrid", "other"]}},
        "providers": {
            "sendgrid": {"use": "providers.sendgrid:SendGrid", "rate": 10},
            "other": {"use": "providers.sendgrid:SendGrid"},
        },
        "limits": {"shared": {"rate": 5}},
        "caps": {"each": {"most": 5, "period": "day", "per": "source"}},
    }
)
REASON = {"reason": "INC-7"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleRig]:
    with ConsoleRig(tmp_path_factory.mktemp("console"), SETTINGS) as rig:
        yield rig


@pytest.fixture
def rig(shared: ConsoleRig) -> ConsoleRig:
    """The console with an empty record, but for its users."""
    with shared.store.writing() as connection:
        for table in (*_tables(), "holds", "limits", "circuits", "suppressions"):
            connection.exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608 - names of tables
    shared.store.position.accept()
    return shared


def _tables() -> list[str]:
    return ["notifications", "attempts", "events", "receipts", "dead_letters", "totals", "audit"]


@pytest.fixture(scope="module")
def operator(shared: ConsoleRig) -> Browser:
    return shared.browser(Role.OPERATOR)


@pytest.fixture(scope="module")
def viewer(shared: ConsoleRig) -> Browser:
    return shared.browser(Role.VIEWER)


def _actions(rig: ConsoleRig) -> list[str]:
    return [act.action for act in rig.acts() if not act.action.startswith("console.sign")]


def _ok(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    return unescape(answer.text)


def test_a_search_shows_what_matches(rig: ConsoleRig, viewer: Browser) -> None:
    """With the recipient masked, and a link to the story."""
    entry = begin(rig.store, source="crm", to=ADDRESS)
    begin(rig.store, source="shop")
    text = _ok(viewer.get("/notifications?q=source:crm"))
    assert f"/notifications/{entry.notification.id}" in text
    assert "a•••@example.com" in text
    assert ADDRESS not in text.replace(
        'placeholder="status:failed source:shop to:ann@example.com"', ""
    )
    assert text.count('href="/notifications/') == 1
    assert "notify ls --source=crm" in text
    assert "notify ls" not in _ok(viewer.get("/notifications?q=code:7"))


def test_pages_follow_each_other(rig: ConsoleRig, viewer: Browser) -> None:
    """Each link leads to the next 50, with the same search."""
    entries = [Entry(asked(position=n), Status.EXPIRED) for n in range(60)]
    rig.store.claim(entries, now=NOW, lease=LEASE)
    text = _ok(viewer.get("/notifications?q=source:shop"))
    (older,) = re.findall(r'href="(\?[^"]+)" rel="next"', text)
    more = _ok(viewer.get(f"/notifications{older}"))
    assert "source:shop" in more
    seen = [set(re.findall(r"/notifications/([0-9a-f-]{36})", each)) for each in (text, more)]
    assert [len(each) for each in seen] == [50, 10]
    assert not seen[0] & seen[1]
    assert "reached the oldest" in more


def test_no_recipient_is_in_an_address(rig: ConsoleRig, viewer: Browser) -> None:
    """The form is posted, and a token stands for the recipient; pasting one is refused."""
    entry = begin(rig.store, to=ADDRESS)
    begin(rig.store, to="other@example.com")
    answer = viewer.post("/notifications/search", q="to:Ann@Example.com source:shop")
    assert answer.status_code == 303
    where = answer.headers["location"]
    assert "ann" not in where.lower().replace("%", "")
    text = _ok(viewer.get(where))
    assert re.findall(r"/notifications/([0-9a-f-]{36})", text) == [str(entry.notification.id)]
    # The field has the token, and another search keeps it.
    (query,) = parse_qs(urlsplit(where).query)["q"]
    assert viewer.post("/notifications/search", q=query).headers["location"] == where
    refused = viewer.get(f"/notifications?q=to:{ADDRESS}")
    assert refused.status_code == 400
    assert "must not be in an address" in refused.text
    assert viewer.get("/notifications?q=to:~AAAA").status_code == 409
    # A device's token is a recipient as well.
    device = viewer.post("/notifications/search", q="to:fcm-token-1")
    assert "fcm" not in device.headers["location"]


def test_a_mistake_in_a_search_is_explained(viewer: Browser) -> None:
    """And the text is there to be corrected."""
    answer = viewer.get("/notifications?q=status:faild")
    assert answer.status_code == 400
    assert "did you mean status:failed?" in answer.text
    assert 'value="status:faild"' in answer.text


def test_an_id_or_its_beginning_leads_to_the_story(rig: ConsoleRig, viewer: Browser) -> None:
    """As in `notify show`."""
    id_ = planting.sent(rig.store)
    answer = viewer.get(f"/notifications?q={str(id_)[:8]}")
    assert answer.headers["location"] == f"/notifications/{id_}"
    assert "no id on record" in viewer.get("/notifications?q=00000000").text
    assert viewer.get("/notifications/none").status_code == 404


def test_an_id_of_nothing_on_record_is_explained(viewer: Browser) -> None:
    """It leads to the dead letters, which may have it; without one they say what that means."""
    found = viewer.get(f"/dead-letters?state=all&notification={uuid4()}")
    assert "no notification has it" in found.text
    assert "no notification has it" not in viewer.get("/dead-letters?state=all").text


def test_a_story_shows_each_part(rig: ConsoleRig, viewer: Browser) -> None:
    """Attempts with answers, timeline, events, dead letters, commands; and why it waits."""
    entry = begin(rig.store, batch_id=uuid4())
    rig.store.record([put_off(entry)])
    id_ = entry.notification.id
    planting.bury(rig.store, notification_id=id_, source="shop", reason="too often")
    actor = Actor("ann@ops-1", "broken link")
    overrides.place_hold(rig.store, Scope(template="welcome"), actor, seconds=None)
    text = _ok(viewer.get(f"/notifications/{id_}"))
    for part in (
        "the vendor is away",
        "503",
        "attempt 1 begun",
        "too often",
        f"notify show {id_}",
        "broken link",
        "It is due since",
        "none: it has not ended",
    ):
        assert part in text, part
    assert "Reveal the recipient" not in text
    assert viewer.get(f"/notifications/{uuid4()}").status_code == 303


def test_a_recipient_is_revealed_with_a_reason_and_an_audit_row(
    rig: ConsoleRig, operator: Browser, viewer: Browser
) -> None:
    """Operators only, and only with a reason."""
    id_ = planting.sent(rig.store)
    path = f"/notifications/{id_}/reveal"
    assert ADDRESS not in _ok(operator.get(f"/notifications/{id_}"))
    assert operator.post(path).status_code == 400
    assert viewer.post(path, **REASON).status_code == 403
    assert _actions(rig) == []
    assert ADDRESS in _ok(operator.post(path, **REASON))
    (act,) = rig.acts()
    assert (act.action, act.reason, act.details) == (
        "console.reveal",
        "INC-7",
        {"notification": str(id_)},
    )


def test_a_waiting_notification_is_cancelled(rig: ConsoleRig, operator: Browser) -> None:
    """A second time there is nothing left, and the page says so."""
    id_ = planting.scheduled(rig.store)
    assert "Cancel the notification" in _ok(operator.get(f"/notifications/{id_}"))
    _ok(operator.post(f"/notifications/{id_}/cancel", **REASON))
    story = rig.store.get(id_)
    assert story is not None
    assert story.status is Status.CANCELLED
    again = _ok(operator.post(f"/notifications/{id_}/cancel", **REASON))
    assert "nothing left to cancel" in again
    assert _actions(rig) == ["cancel"]


def test_a_batch_shows_its_progress_and_is_cancelled_by_count(
    rig: ConsoleRig, operator: Browser
) -> None:
    """The typed number must be that of the moment."""
    batch = uuid4()
    waiting = [
        Entry(asked(batch_id=batch, position=n), Status.SCHEDULED, due_at=LATE) for n in (0, 1)
    ]
    call = call_for(asked(batch_id=batch, position=2))
    rig.store.claim([*waiting, call], now=NOW, lease=LEASE)
    rig.store.record([accepted(call)])
    assert str(batch) in _ok(operator.get("/batches"))
    text = _ok(operator.get(f"/batches/{batch}"))
    assert "1 of 3 have ended" in text
    path = f"/batches/{batch}/cancel"
    asked_for = _ok(operator.post(path, **REASON))
    assert "Type the count, 2" in asked_for
    assert "too late" in asked_for
    assert "You typed 3" in _ok(operator.post(path, **REASON, confirm_count="3"))
    _ok(operator.post(path, **REASON, confirm_count="2"))
    assert "3 of 3 have ended" in _ok(operator.get(f"/batches/{batch}"))


LATE = planting.AFTERWARDS


def test_unknown_outcomes_are_decided_one_by_one(rig: ConsoleRig, operator: Browser) -> None:
    """A duplicate needs the typed count, even of one."""
    ids = [planting.unknown(rig.store) for _ in range(3)]
    # An id is not a filter: without this, the page would show all as its result.
    assert operator.get(f"/unknown?q={ids[0]}").headers["location"] == f"/notifications?q={ids[0]}"
    text = _ok(operator.get("/unknown"))
    assert all(str(id_) in text for id_ in ids)
    _ok(operator.post("/unknown/resolve", id=str(ids[0]), finding="sent", **REASON))
    asked_for = _ok(operator.post("/unknown/resolve", id=str(ids[1]), finding="resend", **REASON))
    assert "recipients may get them twice" in asked_for
    form = {"id": [str(ids[1]), str(ids[2])], "finding": "resend", "confirm_count": "2"}
    done = _ok(operator.request("POST", "/unknown/resolve", data={**form, **REASON}))
    assert "<b>2</b>" in done
    statuses = [story.status for id_ in ids if (story := rig.store.get(id_))]
    assert statuses == [Status.SENT, Status.QUEUED, Status.QUEUED]
    again = _ok(operator.post("/unknown/resolve", id=str(ids[0]), finding="sent", **REASON))
    assert "there is nothing to decide" in again
    assert _actions(rig) == ["resolve"] * 3


def test_checks_are_audited(
    rig: ConsoleRig, operator: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the user who started one; the doctor also runs while the record is away."""
    for check in ("doctor", "ledger"):
        assert operator.post(f"/{check}").status_code == 303
    assert [(act.action, act.details) for act in rig.acts()[:2]] == [
        ("console.check", {"check": "ledger"}),
        ("console.check", {"check": "doctor"}),
    ]
    assert rig.acts()[0].actor == "operator-1@console"

    def away(*_: object, **__: object) -> None:
        raise StoreError("the record is away")

    monkeypatch.setattr("notify.web.console.pages.system.record_check", away)
    assert [operator.post(f"/{each}").status_code for each in ("doctor", "ledger")] == [303, 503]


def test_a_finding_is_not_applied_to_a_later_call(rig: ConsoleRig, operator: Browser) -> None:
    """It was called again between the page and the decision: that call has its own outcome."""
    id_ = planting.unknown(rig.store)
    seen = f'name="seen" value="{id_}.1"'
    assert seen in _ok(operator.get("/unknown"))
    assert seen in _ok(operator.get(f"/notifications/{id_}"))
    for later, text in ((0, "has had 1 calls, and 0 when you looked"), (1, "<b>1</b>")):
        form = {"id": str(id_), "seen": f"{id_}.{later}", "finding": "sent"}
        assert text in _ok(operator.post("/unknown/resolve", **form, **REASON))
    form = {"id": str(id_), "seen": f"{id_}.x", "finding": "sent"}
    assert operator.post("/unknown/resolve", **form, **REASON).status_code == 400


def _body(**changes: object) -> bytes:
    request = {"id": str(uuid4()), "to": ADDRESS, "subject": "Hello", "text": "Hi."}
    return json.dumps(request | changes).encode()


def _letter(rig: ConsoleRig, body: bytes, **changes: object) -> int:
    id_ = UUID(json.loads(body)["id"])
    planting.bury(
        rig.store,
        **{"notification_id": id_, "body": body, "cause": "failed", **changes},
        properties={"content_type": "application/json", "message_id": str(id_)},
    )
    with rig.store.reading() as connection:
        newest: int = connection.exec_driver_sql("SELECT max(id) FROM dead_letters").scalar_one()
    return newest


def _waiting(rig: ConsoleRig) -> int:
    with rig.store.reading() as connection:
        wanted = LetterFilter(state=LetterState.WAITING)
        return sum(count_letters(connection, wanted).values())


def test_dead_letters_are_replayed_by_cause(rig: ConsoleRig, operator: Browser) -> None:
    """Counted, confirmed, done; the other cause waits on, and unfit ones are explained."""
    for _ in range(3):
        _letter(rig, _body())
    _letter(rig, _body(to="nobody"), cause="failed")
    _letter(rig, _body(), cause="unroutable")
    text = _ok(operator.get("/dead-letters?cause=failed"))
    assert "failed 4" in text
    form = {"cause": "failed", "all_matching": "1", "rate": "50"}
    asked_for = _ok(operator.post("/dead-letters/replay", **form))
    assert "Replay 3 from 4 dead letters" in asked_for
    assert "cannot be sent as they are written" in asked_for
    assert _waiting(rig) == 5
    done = _ok(operator.post("/dead-letters/replay", **form, **REASON, confirm_count="3"))
    assert "<b>3</b>" in done
    assert _waiting(rig) == 2
    assert _actions(rig) == ["dead.replay"]


def test_selected_letters_are_discarded(rig: ConsoleRig, operator: Browser) -> None:
    """The others stay."""
    first, second = _letter(rig, _body()), _letter(rig, _body())
    _letter(rig, _body())
    form = {"id": [str(first), str(second)], **REASON}
    assert "Discard 2 dead letters" in _ok(
        operator.request("POST", "/dead-letters/discard", data=form)
    )
    _ok(operator.request("POST", "/dead-letters/discard", data={**form, "confirm_count": "2"}))
    assert _waiting(rig) == 1
    assert operator.post("/dead-letters/discard", **REASON).status_code == 400


def test_a_letter_is_edited_and_replayed(rig: ConsoleRig, operator: Browser) -> None:
    """Its body is masked until an operator edits it; a mistake keeps what was typed."""
    id_ = _letter(rig, _body(subject=7))
    path = f"/dead-letters/{id_}"
    assert ADDRESS not in _ok(operator.get(path))
    assert operator.post(f"{path}/edit").status_code == 400
    text = _ok(operator.post(f"{path}/edit", **REASON))
    assert ADDRESS in text
    wrong = operator.post(f"{path}/replay", body=_body(subject="").decode(), **REASON)
    assert wrong.status_code == 400
    assert "cannot be sent yet" in wrong.text
    assert _waiting(rig) == 1
    fixed = _body(subject="Right").decode()
    key = "email.normal.shop"
    _ok(operator.post(f"{path}/replay", body=fixed, key=key, **REASON))
    assert _waiting(rig) == 0
    assert set(_actions(rig)) == {"console.reveal", "dead.replay", "dead.mend"}
    assert "edited body" in _ok(operator.get(path)).lower()


def test_a_sealed_letter_shows_its_facts_without_the_keyring(
    rig: ConsoleRig, operator: Browser
) -> None:
    """And no act on it: nothing of it can be read."""
    id_ = _letter(rig, _body(), key_id="k1", reason="too often")
    with rig.store.writing() as connection:
        sealed = '{"sealed": "AAAA"}'
        connection.exec_driver_sql("UPDATE dead_letters SET properties = ?", (sealed,))
    text = _ok(operator.get(f"/dead-letters/{id_}"))
    assert "too often" in text
    assert "sealed with the key k1" in text
    assert "Replay" not in text
    assert operator.post(f"/dead-letters/{id_}/edit", **REASON).status_code == 503
    assert _actions(rig) == []


def test_a_hold_is_placed_and_released(rig: ConsoleRig, operator: Browser) -> None:
    """Everything needs one more confirmation; a provider's hold stands alone."""
    assert operator.post("/holds", **REASON).status_code == 400
    asked_for = _ok(operator.post("/holds", everything="1", **REASON))
    assert "Hold everything" in asked_for
    both = operator.post("/holds", provider="sendgrid", lane="bulk", **REASON)
    assert both.status_code == 400
    assert operator.post("/holds", source="x" * 64, **REASON).status_code == 400
    placed = operator.post("/holds", source="crm", seconds="3600", **REASON)
    assert placed.status_code == 303
    (found,) = read_holds(rig.store)
    assert found.hold.given == {"source": "crm"}
    assert found.hold.until is not None
    text = _ok(operator.get("/holds"))
    assert "source crm" in text
    assert operator.post(f"/holds/{found.hold.id}/release", **REASON).status_code == 303
    assert operator.post(f"/holds/{found.hold.id}/release", **REASON).status_code == 404
    assert _actions(rig) == ["release", "hold"]


def test_a_circuit_is_opened_and_returned_to_its_rules(rig: ConsoleRig, operator: Browser) -> None:
    """The page shows the override with its reason, and the changes of the past."""
    path = "/providers/sendgrid"
    assert operator.post(f"{path}/mode", mode="open", seconds="900", **REASON).status_code == 303
    text = _ok(operator.get(path))
    assert "forced: open" in text
    assert "INC-7" in text
    assert "forced: open" in _ok(operator.get("/providers"))
    assert operator.post(f"{path}/mode", mode="auto", **REASON).status_code == 303
    assert "forced" not in _ok(operator.get("/providers"))
    assert operator.post(f"{path}/mode", mode="melt", **REASON).status_code == 400
    assert operator.post("/providers/none/mode", mode="open", **REASON).status_code == 404
    assert _actions(rig) == ["breaker.auto", "breaker.open"]


def test_a_limit_is_set_and_reset_by_an_admin(rig: ConsoleRig, operator: Browser) -> None:
    """Caps are shown beside it."""
    form = {"name": "shared", "rate": "2.5", "seconds": "900", **REASON}
    assert operator.post("/limits/set", **form).status_code == 403
    admin = rig.browser(Role.ADMIN)
    assert admin.post("/limits/set", **form | {"rate": "no"}).status_code == 400
    assert admin.post("/limits/set", **form | {"name": "none"}).status_code == 400
    assert admin.post("/limits/set", **form).status_code == 303
    text = _ok(admin.get("/limits"))
    assert "2.5/s" in text
    assert "notifications a day for each source" in text
    assert admin.post("/limits/reset", name="shared", **REASON).status_code == 303
    assert "2.5/s" not in _ok(admin.get("/limits"))
    assert _actions(rig) == ["limit.reset", "limit.set"]


def test_a_cap_is_changed_by_an_admin(rig: ConsoleRig, operator: Browser) -> None:
    """In its current span, by the same use cases as those of `notify cap`."""
    (name,) = rig.settings.caps
    form = {"name": f"{name}:crm", "amount": "7", **REASON}
    assert operator.post("/limits/allow", **form).status_code == 403
    admin = rig.browser(Role.ADMIN)
    assert admin.post("/limits/allow", **form | {"amount": "no"}).status_code == 400
    assert admin.post("/limits/allow", **form | {"name": name}).status_code == 400
    assert admin.post("/limits/allow", **form).status_code == 303
    assert ">-7<" in _ok(admin.get("/limits"))
    assert admin.post("/limits/reset-cap", name=f"{name}:crm", **REASON).status_code == 303
    assert ">-7<" not in _ok(admin.get("/limits"))
    assert _actions(rig) == ["cap.reset", "cap.allow"]


def test_a_recipient_is_suppressed_found_and_lifted(rig: ConsoleRig, operator: Browser) -> None:
    """No page and no address has the recipient; an operator may look, and an admin change."""
    admin = rig.browser(Role.ADMIN)
    form = {"to": ADDRESS, "channel": "email", "scope": "all", **REASON}
    assert "<b>1</b>" in _ok(admin.post("/suppressions/add", **form))
    assert "already" in _ok(admin.post("/suppressions/add", **form))
    assert admin.post("/suppressions/add", **form | {"scope": "x"}).status_code == 400
    for wrong in ({"channel": "sms"}, {"to": ""}, {"to": "ann@", "channel": ""}):
        assert admin.post("/suppressions/add", **form | wrong).status_code == 400, wrong
    found = admin.post("/suppressions/search", to=ADDRESS).headers["location"]
    assert "ann" not in found
    text = _ok(admin.get(found))
    assert "in effect" in text
    assert ADDRESS not in text
    other = admin.post("/suppressions/search", to="other@example.com").headers["location"]
    assert "No entry matches" in _ok(admin.get(other))
    (id_,) = re.findall(r'name="id" value="(\d+)"', text)
    assert "<b>1</b>" in _ok(admin.post("/suppressions/lift", id=id_, **REASON))
    assert "not in effect" in _ok(admin.post("/suppressions/lift", id=id_, **REASON))
    assert admin.get(f"/suppressions?to={ADDRESS}").status_code == 400
    assert operator.post("/suppressions/add", **form).status_code == 403
    assert operator.post("/suppressions/lift", id=id_, **REASON).status_code == 403
    assert "/suppressions/add" not in _ok(operator.get("/suppressions"))


def test_a_template_is_previewed_in_a_frame(viewer: Browser) -> None:
    """Its HTML is in the frame's own answer, whose policy runs nothing; data is escaped."""
    assert "/templates/welcome" in _ok(viewer.get("/templates"))
    text = _ok(viewer.get("/templates/welcome?channel=email"))
    assert 'sandbox=""' in text
    (frame,) = re.findall(r'src="(/templates/[^"]+)"', text)
    answer = viewer.get(frame)
    assert "<html" in answer.text
    policy = answer.headers["content-security-policy"]
    assert "sandbox" in policy
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
    page = viewer.post("/templates/welcome", channel="email", data="[1]")
    assert page.status_code == 400
    assert viewer.post("/templates/welcome", channel="fax", data="{}").status_code == 400


@pytest.mark.parametrize(
    "name",
    [
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e%2fwelcome",
        "%00",
        "welcome%00",
        "_layout",
        "welcome%2Femail.text.j2",
        "WELCOME",
    ],
)
def test_no_name_leads_to_another_file(viewer: Browser, name: str) -> None:
    """A template is one of the list, by its exact name."""
    for path in (f"/templates/{name}", f"/templates/{name}/frame"):
        assert viewer.get(path).status_code in (400, 404), path
    locale = viewer.get("/templates/welcome?locale=../../etc")
    assert "root:" not in locale.text


def test_sources_and_providers_are_listed(rig: ConsoleRig, viewer: Browser) -> None:
    """With how their newest notifications ended."""
    rig.store.record([accepted(begin(rig.store, source="crm"))])
    assert "1 sent" in _ok(viewer.get("/sources"))
    text = _ok(viewer.get("/providers"))
    assert "sendgrid" in text
    assert "other" in text


PAGES = (
    "/notifications",
    "/notifications?q=source:shop",
    "/unknown",
    "/dead-letters?state=all",
    "/batches",
    "/sources",
    "/holds",
    "/providers",
    "/providers/sendgrid",
    "/limits",
    "/suppressions?ended=1",
    "/templates",
)


def test_a_viewer_sees_no_form_that_acts(rig: ConsoleRig, viewer: Browser) -> None:
    """The dispatcher would refuse it anyway."""
    pages = [
        *PAGES,
        f"/notifications/{planting.scheduled(rig.store)}",
        f"/notifications/{planting.unknown(rig.store)}",
        f"/dead-letters/{_letter(rig, _body())}",
    ]
    harmless = ("/sign-out", "/notifications/search", "/suppressions/search")
    for path in pages:
        text = _ok(viewer.get(path))
        acts = re.findall(r'formaction="([^"]+)"', text)
        acts += re.findall(r'<form[^>]*method="post" action="([^"]+)"', text)
        # The lists of an operator's selections are forms without a button for a viewer.
        acts = [each for each in acts if each not in harmless]
        buttons = re.findall(r"<button[^>]*>([^<]+)<", text)
        known = {"Set", "Search", "Filter", "Sign out", "Close", "Preview"}
        assert set(buttons) <= known, (path, acts, buttons)


def test_nothing_from_a_producer_or_vendor_becomes_html(rig: ConsoleRig, operator: Browser) -> None:
    """Each field of a record's rows that they control, on each page that shows it."""
    actor = Actor(HOSTILE, HOSTILE)
    store = rig.store
    names: dict[str, Any] = {
        "source": HOSTILE[:60],
        "lane": HOSTILE[:30],
        "template": HOSTILE,
    }
    batch = uuid4()
    entry = begin(
        store, **names, to=HOSTILE, category=HOSTILE[:30], idempotency_key=HOSTILE, batch_id=batch
    )
    refused = rejected(entry)
    vendor: dict[str, Any] = {"provider_id": HOSTILE, "code": HOSTILE, "reason": HOSTILE}
    store.record([replace(refused, **vendor)])
    lost = call_for(asked(**names, to=HOSTILE))
    store.claim([lost], now=NOW, lease=LEASE)
    with store.writing() as connection:
        connection.exec_driver_sql(
            "UPDATE notifications SET status = 'unknown', unsettled = 1, reason = ? WHERE id = ?",
            (HOSTILE, lost.notification.id.hex),
        )
        connection.exec_driver_sql(
            "INSERT INTO receipts (fingerprint, provider, notification_id, provider_id, event,"
            " word, code, reason, blame, received_at)"
            " VALUES (?, ?, ?, ?, 'bounced', ?, ?, ?, ?, ?)",
            (b"f", HOSTILE, entry.notification.id.hex, *[HOSTILE] * 4, HOSTILE[:10], str(NOW)[:26]),
        )
        connection.exec_driver_sql("UPDATE events SET reason = ?", (HOSTILE,))
    letter = _letter(
        rig,
        _body(subject=HOSTILE, to=HOSTILE),
        **{**names, "reason": HOSTILE, "code": HOSTILE, "routing_key": HOSTILE, "queue": HOSTILE},
        exchange=HOSTILE,
        message_id=HOSTILE,
    )
    overrides.place_hold(store, Scope(**names), actor, seconds=None)
    overrides.place_hold(store, Scope(provider="sendgrid"), actor, seconds=None)
    overrides.set_limit(store, "shared", 2, actor, seconds=None)
    overrides.set_breaker_mode(store, ["sendgrid"], Mode.OPEN, actor, seconds=None)
    now = store.clock()
    item = Suppression(
        channel=Channel.EMAIL,
        reason=SuppressionReason.BOUNCE,
        since=now,
        recipient="x@example.com",
        evidence=HOSTILE,
        provider=HOSTILE,
    )
    add_entry(store, item, actor, now=now)
    pages = [
        *PAGES,
        f"/notifications/{entry.notification.id}",
        f"/batches/{batch}",
        f"/dead-letters/{letter}",
    ]
    answers = [(path, operator.get(path)) for path in pages]
    answers.append(("edit", operator.post(f"/dead-letters/{letter}/edit", reason=HOSTILE)))
    answers.append(("search", operator.post("/notifications/search", q=HOSTILE)))
    answers.append(
        (
            "confirm",
            operator.post("/unknown/resolve", id=[str(uuid4())], finding="resend", reason=HOSTILE),
        )
    )
    shown = 0
    for path, answer in answers:
        assert answer.status_code in (200, 400), (path, answer.text)
        assert "<img" not in answer.text, path
        assert 'onerror=alert(1)>"' not in answer.text, path
        assert "49" not in re.findall(r"`(\d+)", answer.text), path
        shown += "&lt;img src=x onerror" in answer.text
    # Most pages show at least one of them: the test is not vacuous.
    assert shown >= 13
