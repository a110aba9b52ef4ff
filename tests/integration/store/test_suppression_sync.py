"""Synchronising with SendGrid's own lists, over HTTP and on both databases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest
from sqlalchemy import select

from notify.errors import ProviderError
from notify.message import Channel
from notify.store import Actor, Store
from notify.store.tables import suppressions
from notify.suppression import ListSync, SuppressionFilter, lift_for_operator, sync_lists
from providers.sendgrid import SendGrid
from tests.support.sendgrid_lists import SendGridAccount, sendgrid_account

ACTOR = Actor("ann@ops-1", "the first day")


@pytest.fixture
def account() -> Iterator[SendGridAccount]:
    """An account at SendGrid."""
    with sendgrid_account() as found:
        yield found


def synced(store: Store, *accounts: SendGridAccount, only: str | None = None) -> Counter[str]:
    """Synchronise; what was read, added here and removed there."""
    total: Counter[str] = Counter()
    with ExitStack() as stack:
        syncs = []
        for name, account in zip(("sendgrid", "second"), accounts, strict=False):
            provider = SendGrid(api_key="key", sender="no-reply@example.com", base_url=account.url)
            stack.callback(provider.close)
            sync = ListSync(
                store, provider, provider=name, channel=Channel.EMAIL, sleep=lambda _: None
            )
            syncs.append(sync)
        for step in sync_lists(store, Channel.EMAIL, syncs, ACTOR, only=only):
            total.update(read=step.read, added=step.added, removed=step.removed)
    return total


def marked(store: Store) -> int:
    """How many entries a vendor's own list may still have after their lift."""
    with store.reading() as connection:
        return len(connection.execute(select(suppressions).where(suppressions.c.vendor_lift)).all())


def entries(store: Store) -> Counter[tuple[str, str]]:
    """How many entries are in effect, by reason and scope."""
    with store.reading() as connection:
        rows = connection.execute(select(suppressions).where(suppressions.c.lifted_at.is_(None)))
        return Counter((row.reason, row.scope) for row in rows)


def seconds_ago(store: Store, days: int = 1) -> int:
    """A time of SendGrid's, some days ago."""
    return int((store.clock() - timedelta(days=days)).timestamp())


def fill(store: Store, account: SendGridAccount) -> None:
    """Each list has its entry; of the bounces one is the sender's fault, and one is old."""
    at = seconds_ago(store)
    account.lists = {
        "bounces": [
            {
                "created": at,
                "email": "ann@example.com",
                "reason": "550 5.1.1 no",
                "status": "5.1.1",
            },
            {
                "created": at,
                "email": "bob@example.com",
                "reason": "550 5.7.1 no",
                "status": "5.7.1",
            },
            {"created": seconds_ago(store, 100), "email": "old@example.com", "status": "5.1.1"},
        ],
        "invalid_emails": [{"created": at, "email": "x@nowhere.example", "reason": "no MX"}],
        "spam_reports": [{"created": at, "email": "eve@example.com", "ip": "192.0.2.1"}],
        "unsubscribes": [{"created": at, "email": "joe@example.com"}],
        "groups": [{"email": "kim@example.com", "group_id": 7, "created_at": at}],
    }


def test_all_lists_are_read_and_a_repeat_adds_nothing(
    store: Store, account: SendGridAccount
) -> None:
    """Only the recipients' faults, and bounces for as long as the rules say."""
    fill(store, account)
    assert synced(store, account) == Counter(read=7, added=5, removed=0)
    assert entries(store) == Counter(
        {
            ("bounce", "all"): 2,
            ("complaint", "all"): 1,
            ("opt_out", "all"): 1,
            ("opt_out", "sender:group-7"): 1,
        }
    )
    assert synced(store, account)["added"] == 0
    assert not [each for each in account.requests if "blocks" in each[1]]


def test_an_entry_that_was_lifted_here_is_deleted_there(
    store: Store, account: SendGridAccount
) -> None:
    """Otherwise SendGrid would drop every message to it."""
    fill(store, account)
    synced(store, account)
    for person in ("ann@example.com", "joe@example.com", "kim@example.com"):
        wanted = SuppressionFilter(recipient=person)
        assert len(lift_for_operator(store, wanted, ACTOR, now=store.clock())) == 1
    assert synced(store, account) == Counter(read=7, added=0, removed=3)
    deleted = [path for method, path in account.requests if method == "DELETE"]
    assert deleted == [
        "/v3/suppression/bounces/ann%40example.com",
        "/v3/asm/suppressions/global/joe%40example.com",
        "/v3/asm/groups/7/suppressions/kim%40example.com",
    ]
    assert synced(store, account) == Counter(read=4, added=0, removed=0)
    assert not marked(store)


def test_each_vendor_of_a_channel_loses_an_entry_that_was_lifted_here(
    store: Store, account: SendGridAccount
) -> None:
    """Until all of them were read it remains marked, also if one is read alone."""
    with sendgrid_account() as other:
        fill(store, account)
        fill(store, other)
        synced(store, account, other)
        wanted = SuppressionFilter(recipient="ann@example.com")
        lift_for_operator(store, wanted, ACTOR, now=store.clock())
        assert synced(store, account, other, only="sendgrid")["removed"] == 1
        assert marked(store) == 1
        assert synced(store, account, other)["removed"] == 1
        assert not marked(store)


def test_a_new_bounce_after_the_lift_counts(store: Store, account: SendGridAccount) -> None:
    """The vendor's entry is newer than the lift: it is not deleted, and added here again."""
    fill(store, account)
    synced(store, account)
    now = store.clock() - timedelta(hours=12)
    lift_for_operator(store, SuppressionFilter(recipient="ann@example.com"), ACTOR, now=now)
    account.lists["bounces"][0]["created"] = seconds_ago(store, 0) - 60
    assert synced(store, account) == Counter(read=7, added=1, removed=0)


def test_pages_are_read_to_the_end_while_entries_are_deleted(
    store: Store, account: SendGridAccount
) -> None:
    """A deletion moves the following entries up: none may be skipped."""
    at = seconds_ago(store)
    people = [f"p{number}@example.com" for number in range(1100)]
    account.lists = {"spam_reports": [{"created": at, "email": each} for each in people]}
    assert synced(store, account) == Counter(read=1100, added=1100, removed=0)
    lift_for_operator(store, SuppressionFilter(recipient=people[3]), ACTOR, now=store.clock())
    lift_for_operator(store, SuppressionFilter(recipient=people[700]), ACTOR, now=store.clock())
    assert synced(store, account) == Counter(read=1100, added=0, removed=2)
    assert len(account.lists["spam_reports"]) == 1098


def test_a_throttled_request_is_repeated_once(store: Store, account: SendGridAccount) -> None:
    """Another program uses the same limit; a second refusal ends the run, which may be repeated."""
    fill(store, account)
    account.throttle = 1
    assert synced(store, account)["added"] == 5
    account.throttle = 2
    with pytest.raises(ProviderError):
        synced(store, account)
