"""`notify dead`, as a person or a script calls it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from notify.message import Status
from notify.store import Store
from notify.store.tables import audit, dead_letters
from tests.support.burying import arrival, body_of, bury
from tests.support.commands import Notify
from tests.support.recording import accepted, begin

WHY = ("--reason", "INC-7", "--yes")


@pytest.fixture
def notify(notify: Notify) -> Notify:
    """Call `notify dead` as the console script does."""
    return partial(notify, "dead")


@pytest.fixture
def dead(store: Store) -> UUID:
    """Dead letters: 1 is broken, 2 matched no queue and asks for this notification, 3 is CSV."""
    id_ = uuid4()
    body = body_of(id_, data={"code": "123456"})
    bury(store, arrival(b'{"to": "ann@example.com",}'))
    bury(store, arrival(body, exchange="notify", headers={}))
    bury(store, arrival(b"to,text", content_type="text/csv", key="sms.bulk.crm"))
    return id_


@pytest.mark.usefixtures("dead")
def test_ls_lists_the_newest_first_with_their_causes(notify: Notify) -> None:
    """A line each, without a recipient."""
    lines = notify("ls").out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["3", "2", "1"]
    assert "contract" in lines[1]
    assert "the content type is not application/json" in lines[1]
    assert "unroutable" in lines[2]
    assert "@" not in notify("ls").out


@pytest.mark.usefixtures("dead")
def test_ls_filters_and_counts(notify: Notify) -> None:
    """For programs, a JSON object a line; for people, the most frequent cause first."""
    (line,) = notify("ls", "--source", "crm", "--json").out.splitlines()
    assert json.loads(line)["id"] == 3
    assert json.loads(notify("ls", "--counts", "--json").out) == {"contract": 2, "unroutable": 1}
    assert notify("ls", "--counts").out.split() == [
        "contract",
        "2",
        "unroutable",
        "1",
        "total",
        "3",
    ]
    assert len(notify("ls", "--json", "--limit", 2).out.splitlines()) == 2
    assert "only the newest 2" in notify("ls", "--limit", 2).err
    nothing = notify("ls", "--cause", "maxlen")
    assert (nothing.code, nothing.out, nothing.err) == (0, "", "no dead letter matches\n")


def test_show_prints_the_letter_and_masks_recipients(notify: Notify, dead: UUID) -> None:
    """The letter, its properties and its body."""
    told = notify("show", 2).out
    assert "no queue was bound for its key" in told
    assert str(dead) in told
    assert "Its notification is not on record." in told
    assert "a•••@example.com" in told
    assert "ann@" not in told
    assert "ann@example.com" in notify("show", 2, "--show-recipients").out
    assert "ann@" not in notify("show", 1).out
    assert notify("show", 1, "--raw").out == '{"to": "ann@example.com",}'
    shown = json.loads(notify("show", 1, "--json").out)
    assert (shown["cause"], shown["body_base64"]) == ("contract", None)
    missing = notify("show", 9)
    assert (missing.code, missing.err) == (
        1,
        "notify: there is no dead letter 9; `notify dead ls` lists them\n",
    )


def test_show_prints_the_timeline_of_the_notification(store: Store, notify: Notify) -> None:
    """Its timeline, with every attempt."""
    id_ = uuid4()
    entry = begin(store, id=id_)
    store.record([accepted(entry)])
    bury(store, arrival(body_of(id_)))
    told = notify("show", 1).out
    assert "attempt 1 accepted" in told
    assert "sendgrid" in told


@pytest.mark.usefixtures("dead")
def test_plan_shows_what_a_replay_would_do(notify: Notify) -> None:
    """And changes nothing."""
    told = notify("plan", "--rate", "2").out
    assert "3 waiting dead letters, requesting 3 notifications" in told
    assert "never sent  1  replayed" in told
    assert "unfit       2  skipped: fix it" in told
    assert "dead letter 3: the content type is not application/json" in told
    assert "At 2 a second for each channel, 1 take 0.5 s, until " in told
    plan = json.loads(notify("plan", "--json").out)
    assert plan["notifications"] == {"unfit": 2, "never_sent": 1}
    assert notify("replay", *WHY, "--dry-run", "--json").out == json.dumps(plan) + "\n"


def test_replay_schedules_what_may_be_sent(store: Store, notify: Notify, dead: UUID) -> None:
    """With the person and the reason in the audit; again, it does nothing."""
    done = notify("replay", *WHY, "--no-wait")
    assert (done.code, done.err) == (0, "")
    assert "1 notifications are scheduled, as replay " in done.out
    story = store.get(dead)
    assert story is not None
    assert story.status is Status.QUEUED
    again = notify("replay", 2, *WHY)
    assert (again.code, again.err) == (0, "dead letter 2 is replayed\n")
    with store.reading() as connection:
        (row,) = connection.execute(select(audit)).all()
    assert (row.action, row.reason) == ("dead.replay", "INC-7")
    assert row.details["letters"] == [2]
    assert row.at <= datetime.now(UTC)


@pytest.mark.usefixtures("dead")
def test_replay_for_programs_prints_one_object(notify: Notify) -> None:
    """With the replay's id and the number of notifications."""
    told = json.loads(notify("replay", *WHY, "--json").out)
    assert told["notifications"] == 1
    assert UUID(told["replay_id"]).version == 4
    nothing = {"replay_id": None, "notifications": 0}
    assert json.loads(notify("replay", *WHY, "--json").out) == nothing
    assert json.loads(notify("replay", 99, *WHY, "--json").out) == nothing
    assert json.loads(notify("plan", 99, "--json").out)["letters"] == 0


@pytest.mark.usefixtures("dead")
def test_replay_mends_from_a_file_and_with_a_key(
    store: Store, notify: Notify, tmp_path: Path
) -> None:
    """A body that still breaks the contract is refused, and nothing is changed."""
    file = tmp_path / "body.json"
    file.write_bytes(b"{}")
    broken = notify("replay", 1, "--body", file, *WHY)
    assert broken.code == 1
    assert broken.err.startswith("notify: it cannot be sent yet: template: neither")
    id_ = uuid4()
    file.write_text(json.dumps({"id": str(id_), "to": "+4915112345678", "text": "Hi."}))
    mended = notify("replay", 3, "--body", file, "--key", "sms.normal.crm", *WHY)
    assert mended.code == 0, mended.err
    story = store.get(id_)
    assert story is not None
    assert (story.summary.channel, story.summary.lane) == ("sms", "normal")
    with store.reading() as connection:
        bodies = select(dead_letters.c.body).where(dead_letters.c.id == 3)
        assert connection.execute(bodies).scalar_one() == b"to,text"


@pytest.mark.usefixtures("dead")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("replay", 2), "Missing option '--reason'"),
        (("replay", 2, "--reason", " ", "--yes"), "--reason is empty"),
        (("replay", 2, "--reason", "x"), "give --yes"),
        (("replay", "--edit", *WHY), "give its ID"),
        (("replay", 1, 2, "--key", "email.normal.shop", *WHY), "give its ID"),
        (("replay", 2, "--rate", 0, *WHY), "--rate"),
        (("discard", "--reason", "x"), "give --yes"),
        (("ls", "--cause", "boredom"), "--cause"),
    ],
)
def test_a_command_that_is_not_whole_is_a_usage_error(
    notify: Notify, arguments: tuple[object, ...], says: str
) -> None:
    """Exit code 2, and nothing is changed."""
    done = notify(*arguments)
    assert done.code == 2
    assert says in done.err


@pytest.mark.usefixtures("dead")
def test_discard_marks_the_chosen_letters(store: Store, notify: Notify) -> None:
    """They are listed under their state from then on."""
    assert notify("discard", "--cause", "contract", *WHY).out == "2 dead letters were discarded\n"
    assert len(notify("ls", "--json").out.splitlines()) == 1
    assert len(notify("ls", "--state", "discarded", "--json").out.splitlines()) == 2
    assert notify("discard", 1, *WHY).err == "dead letter 1 is discarded\n"
    assert notify("discard", 99, *WHY).err == "there is no dead letter with this ID\n"
    with store.reading() as connection:
        (row,) = connection.execute(select(audit)).all()
    assert (row.action, row.details) == ("dead.discard", {"letters": [1, 3]})
