"""`notify send`: a request by flags, its template, and its end."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from notify.cli.options.when import Later
from notify.cli.send.command import _composed
from notify.cli.send.requests import PreparedRequest
from notify.cli.send.waiting import ends_of, wait
from notify.message import Status
from notify.store import Store
from tests.support.burying import arrival, body_of, bury
from tests.support.commands import Notify
from tests.support.recording import accepted, begin, rejected

TO = ("--to", "ann@example.com", "--dry-run")


def _document(entry: PreparedRequest) -> dict[str, object]:
    document: dict[str, object] = json.loads(entry.body)
    return document


def test_a_time_and_labels_are_part_of_the_request() -> None:
    """As the contract writes them: RFC 3339 with its zone, and names with text."""
    at = datetime(2026, 12, 24, 8, tzinfo=UTC)
    made = _composed({"to": ("a@b.example",), "send_at": at, "metadata": {"order": "17"}})
    assert _document(made)["send_at"] == "2026-12-24T08:00:00+00:00"
    assert _document(made)["metadata"] == {"order": "17"}


def test_a_span_is_from_now_on() -> None:
    """`--send-at 2h` is later; `--since 2h` was before."""
    before = datetime.now(UTC)
    later = Later().convert("2h", None, None)
    assert before <= later - timedelta(hours=2) <= datetime.now(UTC)
    assert Later().convert("2026-12-24T08:00Z", None, None).year == 2026


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--metadata", "order"), "write NAME=VALUE"),
        (("--metadata", "a=1", "--metadata", "a=2"), "is given twice"),
        (("--send-at", "soon"), "is not a time"),
        (("--wait",), "--wait is for one request"),
    ],
)
def test_mistakes_are_usage_errors(notify: Notify, arguments: tuple[str, ...], why: str) -> None:
    """Exit code 2, before anything is published."""
    done = notify("send", "email.normal.shop", *TO, "--template", "welcome", *arguments)
    assert done.code == 2
    assert why in done.err


def test_a_request_with_all_of_it_is_valid(notify: Notify) -> None:
    """The contract accepts the request that the options describe."""
    flags = ("--metadata", "order=1=7", "--metadata", "empty=", "--send-at", "1h")
    done = notify("send", "email.normal.shop", *TO, "--template", "welcome", *flags)
    assert done.code == 0, done.err


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An operator's template, for SMS alone."""
    made = tmp_path / "templates" / "parcel_here"
    made.mkdir(parents=True)
    (made / "sms.text.j2").write_text("Your parcel is here.")
    monkeypatch.setenv("NOTIFY_TEMPLATES__FOLDER", str(made.parent))
    return made.parent


@pytest.mark.usefixtures("folder")
def test_a_template_that_does_not_exist_here_is_refused(notify: Notify) -> None:
    """With a near name; --unchecked publishes without looking."""
    sms = ("send", "sms.normal.shop", "--to", "+4915112345678", "--dry-run", "--template")
    assert notify(*sms, "parcel_here").code == 0
    near = notify(*sms, "parcel_her")
    assert near.code == 1
    assert "there is no such template here, did you mean `parcel_here`?" in near.err
    assert "notify template ls" in near.err
    assert notify(*sms, "parcel_her", "--unchecked").code == 0
    other = notify("send", "email.normal.shop", *TO, "--template", "parcel_here")
    assert "it has no email version, only sms" in other.err


def test_lint_checks_template_names_if_the_folder_is_known(
    notify: Notify, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Configured, or given; without either, names are left to the workers."""
    file = tmp_path / "request.json"
    file.write_text('{"to": "+4915112345678", "template": "parcel_her"}')
    assert "did you mean `parcel_here`?" in notify("lint", file).out
    monkeypatch.delenv("NOTIFY_TEMPLATES__FOLDER")
    assert notify("lint", file).code == 0
    assert "did you mean `parcel_here`?" in notify("lint", file, "--templates", folder).out
    file.write_text('{"to": "+4915112345678", "template": "parcel_here", "tempalte": "x"}')
    found = json.loads(notify("lint", file, "--templates", folder, "--json").out)
    assert len(found["problems"]) == 1


def test_the_end_is_waited_for_and_printed(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sent is good; anything else is not, with its reason."""
    entry = begin(store)
    id_ = entry.notification.id

    def end(_: float) -> None:
        store.record([accepted(entry)])

    (ended,) = ends_of(store, id_, source="shop", expected=1, sleep=end)
    assert (ended.id, ended.status, ended.good) == (id_, Status.SENT, True)
    bad = begin(store)
    store.record([rejected(bad)])
    assert not wait(store, bad.notification.id, source="shop", expected=1, as_json=False)
    assert capsys.readouterr().out.startswith(f"{bad.notification.id} rejected: ")
    assert wait(store, id_, source="shop", expected=1, as_json=True)
    assert json.loads(capsys.readouterr().out)["status"] == "sent"


def test_all_recipients_of_a_batch_are_waited_for(store: Store) -> None:
    """Also those that no worker has recorded yet."""
    batch = uuid4()
    first = begin(store, batch_id=batch)
    store.record([accepted(first)])

    def second(_: float) -> None:
        entry = begin(store, batch_id=batch, position=1)
        store.record([rejected(entry)])

    ends = ends_of(store, batch, source="shop", expected=2, sleep=second)
    assert sorted(each.status for each in ends) == ["rejected", "sent"]


def test_a_request_that_died_before_it_was_recorded_ends_as_dead(store: Store) -> None:
    """A message that broke the contract is on no record, and would be waited for for ever."""
    id_ = UUID(int=7)

    def die(_: float) -> None:
        bury(store, arrival(body_of(id_, tempalte="x")))

    (end,) = ends_of(store, id_, source="shop", expected=1, sleep=die)
    assert (end.status, end.good) == ("dead", False)
    assert "contract: " in (end.reason or "")
    assert "notify dead show 1" in (end.reason or "")
