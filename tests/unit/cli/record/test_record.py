"""`notify migrate`, `notify ls` and `notify show`, as a person or a script calls them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from notify.cli.console import Console
from notify.cli.output import print_whole
from notify.cli.record.view import listing, timeline
from notify.message import Channel, Status
from notify.status.notification import mask, masked
from notify.store import Entry, Filter, Store
from tests.support.commands import Done, Notify
from tests.support.recording import (
    LEASE,
    NOW,
    accepted,
    answer_to,
    asked,
    begin,
    call_for,
    claim_one,
    put_off,
    rejected,
)
from tests.support.tables import each_of

UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"


def _ids(done: Done) -> list[UUID]:
    return [UUID(json.loads(line)["id"]) for line in done.out.splitlines()]


@pytest.mark.usefixtures("url")
def test_migrate_reports_the_revisions_and_again_does_nothing(notify: Notify) -> None:
    """A deployment may always run it."""
    first, again = notify("migrate"), notify("migrate")
    assert (first.code, first.out) == (
        0,
        "the record's tables were migrated from nothing to revision 0015\n",
    )
    assert (again.code, again.out) == (
        0,
        "the record's tables are at revision 0015: nothing to do\n",
    )


@pytest.mark.usefixtures("url")
def test_migrate_check_exits_1_while_a_migration_is_pending(notify: Notify) -> None:
    """A deployment can ask first; asking changes nothing."""
    for _ in range(2):
        pending = notify("migrate", "--check")
        assert pending.code == 1
        assert "needs revision 0015: run `notify migrate`" in pending.err
    notify("migrate")
    assert notify("migrate", "--check").code == 0


@pytest.mark.usefixtures("url")
@pytest.mark.parametrize(
    "arguments",
    [
        ("ls",),
        ("ls", "--counts"),
        ("show", UNKNOWN_ID),
        ("events",),
        ("resolve", UNKNOWN_ID, "--sent", "--reason", "INC-7"),
    ],
)
def test_without_tables_the_error_names_the_command_to_run(
    notify: Notify, arguments: Sequence[str]
) -> None:
    """One line, and no traceback."""
    done = notify(*arguments)
    assert done.code == 1
    assert done.err.splitlines() == [
        "notify: there are no tables, this version needs revision 0015: run `notify migrate`"
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ("ls",),
        ("show", UNKNOWN_ID),
        ("migrate",),
        ("events",),
        ("resolve", UNKNOWN_ID, "--sent", "--reason", "INC-7"),
    ],
)
def test_a_database_that_is_away_is_one_clear_line(
    notify: Notify, monkeypatch: pytest.MonkeyPatch, arguments: Sequence[str]
) -> None:
    """The error says what to check, and shows no password."""
    monkeypatch.setenv("NOTIFY_STORE__URL", "postgresql+psycopg://ann:secret@127.0.0.1:1/notify")
    done = notify(*arguments)
    assert (done.code, done.out, len(done.err.splitlines())) == (1, "", 1)
    assert "check that the database of store.url is up" in done.err
    assert "secret" not in done.err


def test_ls_shows_whole_ids_and_masks_recipients(store: Store, notify: Notify) -> None:
    """Ids can be copied; people are named only on request."""
    entry = begin(store, to="ann@example.com")
    store.record([rejected(entry)])
    line = notify("ls").out.splitlines()[1]
    assert line.split()[:9] == [
        str(entry.notification.id),
        *("2025-01-02", "03:04:05.678", "email", "critical", "shop", "welcome", "rejected"),
        "a•••@example.com",
    ]
    assert line.rstrip().endswith("the vendor refused the recipient")
    assert "ann@example.com" not in notify("ls", "--json").out
    assert "ann@example.com" in notify("ls", "--show-recipients").out
    assert "ann@example.com" in notify("ls", "--json", "--show-recipients").out


@each_of(
    ("recipient", "shown"),
    [
        ("ann@example.com", "a•••@example.com"),
        ("+4915112345612", "+49•••••12"),
        ("dQw4w9WgXcQ:APA91bH", "dQw4•••bH"),
        ("short", "•••"),
        ("https://fcm.googleapis.com/a@b#p256dh=x&auth=yz", "https://fcm.googleapis.com/•••yz"),
        ("https://a@b#auth=yz", "https://b/•••yz"),
        ("https://[", "https://[/•••/["),
    ],
)
def test_masking_keeps_recipients_distinguishable(recipient: str, shown: str) -> None:
    """Enough to recognise, not enough to write to."""
    assert mask(recipient) == shown


def test_ls_prints_one_json_object_a_line(store: Store, notify: Notify) -> None:
    """Every field, times in UTC, nothing else on standard output."""
    entry = begin(store, batch_id=uuid4(), position=2)
    (line,) = notify("ls", "--json").out.splitlines()
    printed = json.loads(line)
    fields = set(store.find(Filter())[0].__dataclass_fields__)
    assert set(printed) == fields - {"public_id"} | {"row_id"}
    assert printed["row_id"] == printed["id"]
    assert printed["id"] == str(entry.notification.id)
    assert printed["received_at"] == "2025-01-02T03:04:05.678901+00:00"
    assert (printed["status"], printed["position"], printed["reason"]) == ("sending", 2, None)


def test_two_sources_with_one_id_are_both_shown(store: Store, notify: Notify) -> None:
    """Each by the id that it knows, as a batch too; --source shows one."""
    id_, batch = uuid4(), uuid4()
    for source in ("shop", "bank"):
        answer_to(store, call_for(asked(id=id_, source=source)))
        answer_to(store, call_for(asked(source=source, batch_id=batch)))
    shown = [json.loads(line) for line in notify("show", id_, "--json").out.splitlines()]
    assert [(each["source"], each["id"]) for each in shown] == [
        ("shop", str(id_)),
        ("bank", str(id_)),
    ]
    (bank,) = notify("show", id_, "--source", "bank", "--json").out.splitlines()
    assert json.loads(bank) == shown[1]
    assert json.loads(notify("show", shown[1]["row_id"], "--json").out) == shown[1]
    assert f"in row {shown[1]['row_id']}" in notify("show", id_).out
    batches = [json.loads(line) for line in notify("show", batch, "--json").out.splitlines()]
    assert [len(each["members"]) for each in batches] == [1, 1]


BATCH = uuid4()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--channel", "sms"),
        ("--lane", "bulk"),
        ("--source", "billing"),
        ("--template", "invoice"),
        ("--to", "+49 151 12345678"),
        ("--batch", str(BATCH)),
        ("--status", "expired"),
        ("--since", "2h"),
        ("--since", "2025-02-01T09:00+01:00", "--lane", "bulk"),
    ],
)
def test_ls_filters(store: Store, notify: Notify, arguments: Sequence[str]) -> None:
    """Each option leaves the one that it describes."""
    begin(store)
    wanted = asked(
        channel=Channel.SMS,
        lane="bulk",
        source="billing",
        template="invoice",
        to="+4915112345678",
        batch_id=BATCH,
    )
    just_now = datetime.now(UTC) - timedelta(minutes=5)
    claim_one(store, Entry(wanted, Status.EXPIRED), now=just_now)
    assert _ids(notify("ls", "--json", *arguments)) == [wanted.id]


def test_ls_until_omits_later_notifications(store: Store, notify: Notify) -> None:
    """The span before a time, in any zone."""
    old = begin(store)
    begin(store, now=NOW + timedelta(hours=2))
    assert _ids(notify("ls", "--json", "--until", "2025-01-02T05:00+01:00")) == [
        old.notification.id
    ]


def test_ls_finds_an_address_however_its_domain_is_written(store: Store, notify: Notify) -> None:
    """The record keeps domains in lower case."""
    entry = begin(store, to="Ann@example.com")
    assert _ids(notify("ls", "--json", "--to", "Ann@Example.COM")) == [entry.notification.id]


def test_ls_reports_that_the_limit_omits_some(store: Store, notify: Notify) -> None:
    """The list of fifty says that there are more."""
    for _ in range(3):
        begin(store)
    assert len(_ids(notify("ls", "--json", "--limit", "2"))) == 2
    assert "only the newest 2" in notify("ls", "--limit", "2").err
    assert notify("ls", "--limit", "3").err == ""


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("arguments", [(), ("--json",), ("--counts",)])
def test_ls_reports_on_stderr_that_nothing_matches(
    notify: Notify, arguments: Sequence[str]
) -> None:
    """A script's input stays empty."""
    done = notify("ls", "--lane", "bulk", *arguments)
    assert (done.code, done.out, done.err) == (0, "", "no notification on record matches\n")


def test_ls_counts_by_status(store: Store, notify: Notify) -> None:
    """In the order of a notification's life, with their sum."""
    entries = [begin(store) for _ in range(3)]
    store.record([accepted(entries[0]), rejected(entries[1])])
    lines = [line.split() for line in notify("ls", "--counts").out.splitlines()]
    assert lines == [["sending", "1"], ["sent", "1"], ["rejected", "1"], ["total", "3"]]
    counts = json.loads(notify("ls", "--counts", "--json").out)
    assert counts == {"sending": 1, "sent": 1, "rejected": 1}


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("when", "why"),
    [
        ("15x", "is not a time"),
        ("yesterday", "is not a time"),
        ("2025-01-31T09:00", "lacks its zone"),
    ],
)
def test_ls_refuses_a_time_it_cannot_place(notify: Notify, when: str, why: str) -> None:
    """The error says what to write instead."""
    done = notify("ls", "--since", when)
    assert done.code == 2
    assert why in done.err
    assert "2025-01-31T09:00Z" in done.err


def test_lists_keep_ids_whole_on_a_narrow_terminal(store: Store) -> None:
    """The terminal may wrap a line; nothing in it is cut away."""
    entry = begin(store)
    store.record([rejected(entry)])
    console = Console(width=40, force_terminal=True, color_system=None, record=True)
    with console.capture() as capture:
        print_whole(console, listing(store.find(Filter())))
    for word in (str(entry.notification.id), "rejected", "ann@example.com", "refused"):
        assert word in capture.get()


def test_show_prints_the_timeline_in_order(store: Store, notify: Notify) -> None:
    """Received, each call with its answer, each change of status, with the time since."""
    entry = begin(store, idempotency_key="order-1", expires_at=NOW + timedelta(days=1))
    store.record([replace(rejected(entry), ended_at=NOW + timedelta(seconds=1.25))])
    done = notify("show", entry.notification.id)
    lines = [line.rstrip() for line in done.out.splitlines()]
    assert lines == [
        f"id        {entry.notification.id}",
        "status    rejected",
        "to        a•••@example.com",
        "channel   email, lane critical, from shop",
        "template  welcome",
        "key       order-1",
        "expires   2025-01-03 03:04:05.678 UTC",
        "",
        "time (UTC)                  after  what                how",
        "2025-01-02 03:04:05.678  +0.000 s  received            email for lane critical from shop",
        "2025-01-02 03:04:05.678  +0.000 s  attempt 1 begun     through sendgrid",
        "2025-01-02 03:04:06.928  +1.250 s  attempt 1 not sent  "
        "1250 ms, HTTP 400, code 21211, the vendor refused the recipient",
        "2025-01-02 03:04:06.928  +1.250 s  rejected",
    ]


def test_an_open_attempt_is_shown_with_its_lease(store: Store) -> None:
    """An operator sees until when to wait."""
    story = store.get(begin(store).notification.id)
    assert story is not None
    console = Console(width=120, color_system=None)
    with console.capture() as capture:
        console.print(timeline(story))
    last = " ".join(capture.get().splitlines()[-1].split())
    assert last == "attempt 1 open lease until 2025-01-02 03:05:05.678 UTC"


def test_show_prints_the_story_as_json(store: Store, notify: Notify) -> None:
    """Attempts and events in order, with how long each call took."""
    entry = begin(store)
    store.record([accepted(entry)])
    printed = json.loads(notify("show", entry.notification.id, "--json").out)
    assert (printed["id"], printed["status"]) == (str(entry.notification.id), "sent")
    assert printed["recipient"] == "a•••@example.com"
    (attempt,), (event,) = printed["attempts"], printed["events"]
    assert (attempt["number"], attempt["outcome"], attempt["duration_ms"]) == (1, "accepted", 45)
    assert (attempt["provider_id"], attempt["http_status"]) == ("m-1", 202)
    assert event == {"at": "2025-01-02T03:04:05.723901+00:00", "status": "sent", "reason": None}


def test_show_of_a_batch_lists_each_recipient(store: Store, notify: Notify) -> None:
    """Counts first, then the members in the order of the request."""
    batch = uuid4()
    entries = [call_for(asked(batch_id=batch, position=2 - number)) for number in range(3)]
    store.claim(entries, now=NOW, lease=LEASE)
    store.record([accepted(entries[0])])
    out = notify("show", batch).out
    assert out.splitlines()[0] == f"batch {batch}"
    assert [out.index(str(entry.notification.id)) for entry in reversed(entries)] == sorted(
        out.index(str(entry.notification.id)) for entry in entries
    )
    printed = json.loads(notify("show", batch, "--json").out)
    assert printed["counts"] == {"sending": 2, "sent": 1}
    assert [each["position"] for each in printed["members"]] == [0, 1, 2]
    assert printed["members"][2]["status"] == "sent"


@pytest.mark.usefixtures("store")
def test_show_of_an_unknown_id_exits_1(notify: Notify) -> None:
    """The error says where else the message may be."""
    done = notify("show", UNKNOWN_ID)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"notify: no notification and no batch {UNKNOWN_ID} is on record")


@pytest.mark.usefixtures("store")
def test_show_of_a_malformed_id_is_a_usage_error(notify: Notify) -> None:
    """Exit 2, as for every slip of the keyboard."""
    assert notify("show", "ann@example.com").code == 2


def test_masked_changes_the_recipient_only(store: Store) -> None:
    """Everything else is shown to any operator."""
    begin(store)
    (summary,) = store.find(Filter())
    assert replace(masked(summary), recipient=summary.recipient) == summary


def test_show_prints_when_a_retry_is_due_and_the_attempts_spent(
    store: Store, notify: Notify
) -> None:
    """Throttled calls are made but not counted; a resend is marked."""
    entry = begin(store)
    store.record([put_off(entry, spent=0, possible_duplicate=True)])
    lines = notify("show", entry.notification.id).out.splitlines()
    told = {line.split()[0]: " ".join(line.split()[1:]) for line in lines[:8]}
    assert told["status"] == "queued"
    assert told["due"] == "2025-01-02 03:05:05.678 UTC: the next attempt"
    assert told["attempts"] == "1, 0 of them against the lane's limit"
    assert told["note"] == "possible duplicate: sent again after an answer was lost"
    printed = json.loads(notify("show", entry.notification.id, "--json").out)
    assert (printed["spent"], printed["possible_duplicate"]) == (0, True)
    assert printed["due_at"] == "2025-01-02T03:05:05.678901+00:00"


def test_ls_shows_times_and_attempts_where_there_are_any(store: Store, notify: Notify) -> None:
    """The columns are left out if no notification has a value."""
    entry = begin(store)
    assert "due (UTC)" not in notify("ls").out
    store.record([put_off(entry, possible_duplicate=True)])
    titles, line = notify("ls").out.splitlines()
    assert "due (UTC)" in titles
    assert "attempts" not in titles
    assert "2025-01-02 03:05:05.678" in line
    assert line.rstrip().endswith("possible duplicate; the vendor is away")
    claim_one(store, call_for(entry.notification), now=NOW + LEASE)
    titles, line = notify("ls").out.splitlines()
    assert "attempts" in titles
    assert "due (UTC)" not in titles
    assert " 2 " in line


def test_a_batch_shows_which_of_its_recipients_wait(store: Store, notify: Notify) -> None:
    """Each with the time that the record keeps for it."""
    batch = uuid4()
    entry = Entry(asked(batch_id=batch), Status.SCHEDULED, due_at=NOW + LEASE)
    claim_one(store, entry)
    begin(store, batch_id=batch, position=1)
    first, second = notify("show", batch).out.splitlines()[-2:]
    assert "2025-01-02 03:05:05.678" in first
    assert "2025-01-02" not in second
