"""`notify erase`, as an operator calls it."""

from __future__ import annotations

import io
import json
from functools import partial

import pytest
from sqlalchemy import select

from notify.message import Status
from notify.store import Entry, Filter, Store
from notify.store.tables import audit
from tests.support.burying import arrival, body_of, bury
from tests.support.commands import Notify
from tests.support.planting import sending, sent
from tests.support.recording import LATER, asked, claim_one

WHO = "ann@example.com"


@pytest.fixture
def notify(notify: Notify) -> Notify:
    """Call `notify erase` as the console script does."""
    return partial(notify, "erase")


def _left(store: Store) -> int:
    return sum(store.count(Filter(recipient=WHO)).values())


def test_matches_are_shown_and_erased(store: Store, notify: Notify) -> None:
    """Once; the second time there is nothing, and that is not an error."""
    sent(store)
    sent(store)
    done = notify("Ann@Example.COM", "--yes", "--reason", f"a letter of {WHO}")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "2 notifications: 2 sent",
        "0 dead letters",
        "0 rows of the audit that name it",
        "erased: 2 notifications, 0 dead letters",
    ]
    assert _left(store) == 0
    with store.reading() as connection:
        (noted,) = connection.execute(select(audit)).all()
    assert (noted.action, noted.details["notifications"]) == ("erase", 2)
    assert WHO not in str(noted)
    again = notify(WHO)
    assert (again.code, again.out.splitlines()[0]) == (
        0,
        "the record has no data of this recipient",
    )


def test_waiting_notifications_are_refused_unless_they_may_be_cancelled(
    store: Store, notify: Notify
) -> None:
    """Nothing is erased before the operator has confirmed."""
    sent(store)
    claim_one(store, Entry(asked(), Status.SCHEDULED, due_at=LATER))
    done = notify(WHO, "--yes")
    assert done.code == 1
    assert "1 of them still wait to be sent or decided: nothing was erased" in done.err
    assert _left(store) == 2
    told = json.loads(notify(WHO, "--yes", "--cancel", "--json").out)
    assert (told["notifications"], told["cancelled"]) == (2, 1)
    assert store.count(Filter()) == {Status.SENT: 1, Status.CANCELLED: 1}


def test_without_a_terminal_nothing_is_erased(store: Store, notify: Notify) -> None:
    """A script must say --yes."""
    sent(store)
    done = notify(WHO)
    assert done.code == 2
    assert "give --yes" in done.err
    assert _left(store) == 1


def test_remaining_data_is_reported_with_exit_code_1(store: Store, notify: Notify) -> None:
    """A notification that is being sent, and a letter that names other recipients."""
    id_ = sending(store)
    (letter,) = bury(store, arrival(body_of(id_, to=[WHO, "bob@example.com"])))
    done = notify(WHO, "--yes", "--cancel")
    assert done.code == 1
    assert f"run it again in a minute ({id_})" in done.err
    assert f"replay or discard them first ({letter.id})" in done.err


def test_the_recipient_may_come_by_stdin(
    store: Store, notify: Notify, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It must not be in a shell's history."""
    sent(store)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(f"{WHO}\n".encode())))
    assert notify("-", "--yes").code == 0
    assert _left(store) == 0
