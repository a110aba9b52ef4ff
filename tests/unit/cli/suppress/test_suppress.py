"""`notify suppress`: what operators add, lift, import and export, and its audit."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from notify.message import Channel, Status
from notify.store import ActFilter, Store, find_acts
from notify.suppression import Suppression, SuppressionReason, suppress
from tests.support.commands import Notify
from tests.support.recording import answer_to, asked, begin, call_for

pytestmark = pytest.mark.usefixtures("three_providers")

WHY = ("--reason", "ticket 4711")


def bounce(store: Store, recipient: str = "ann@example.com") -> int:
    """Suppress a recipient for a bounce."""
    now = store.clock()
    item = Suppression(
        channel=Channel.EMAIL,
        reason=SuppressionReason.BOUNCE,
        since=now,
        recipient=recipient,
        until=now + timedelta(days=90),
        evidence="sendgrid bounce 5.1.1",
    )
    with store.writing() as connection:
        (added,) = suppress(connection, [item], now=now)
    return added.id


def acts(store: Store) -> list[str]:
    """The operators' acts on record."""
    with store.reading() as connection:
        return [act.action for act in find_acts(connection, ActFilter(), limit=50)]


def stopped(store: Store, to: str = "ann@example.com") -> bool:
    """Whether a message to the recipient is stopped."""
    answer = answer_to(store, call_for(asked(to=to)), now=store.clock())
    return answer.suppressed is not None


def test_an_entry_is_added_shown_and_lifted_by_the_address(notify: Notify, store: Store) -> None:
    """In any spelling; the address appears nowhere in the output or the audit."""
    added = notify("suppress", "add", " ANN@Example.COM", *WHY)
    assert (added.code, added.out) == (0, "suppression 1 is added: operator, all\n")
    assert stopped(store)

    shown = notify("suppress", "show", "ann@example.com")
    assert "suppression 1: operator, no end" in shown.out
    assert "ann@example" not in shown.out.lower()

    lifted = notify("suppress", "lift", "Ann@example.com", *WHY)
    assert lifted.out == "suppression 1 is lifted: operator, all\n"
    assert not stopped(store)
    assert acts(store) == ["suppress.lift", "suppress.add"]
    assert "lifted" in notify("suppress", "show", "1").out
    assert "example" not in notify("audit", "--json").out


def test_an_entry_that_exists_is_not_added_again(notify: Notify, store: Store) -> None:
    """The operator learns that nothing changed."""
    for _ in range(2):
        done = notify("suppress", "add", "ann@example.com", *WHY)
    assert done.out == "the list has this entry already, for as long or longer\n"
    assert notify("suppress", "add", "ann@example.com", "--json", *WHY).out == '{"added": null}\n'
    assert acts(store).count("suppress.add") == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ("add", "ann@example.com"),
        ("add", "ann@example.com", "--reason", " "),
        ("add", " ", *WHY),
        ("add", "ann@example.com", "--channel", "sms", *WHY),
        ("add", "ann@example.com", "--scope", "shop", *WHY),
        ("add", "ann@example.com", "--kind", "spam", *WHY),
        ("lift", "1"),
    ],
)
def test_a_mistake_changes_nothing(
    notify: Notify, store: Store, arguments: tuple[str, ...]
) -> None:
    """A wrong channel would add an entry that no message matches."""
    assert notify("suppress", *arguments).code == 2
    assert acts(store) == []


def test_only_the_named_entries_are_lifted(notify: Notify, store: Store) -> None:
    """By number, by reason, by scope."""
    number = bounce(store)
    notify("suppress", "add", "ann@example.com", "--scope", "source:crm", *WHY)
    assert notify("suppress", "lift", "ann@example.com", "--kind", "complaint", *WHY).code == 1
    assert notify("suppress", "lift", number, *WHY).out.startswith(f"suppression {number} is")
    assert not stopped(store)
    found = [json.loads(line) for line in notify("suppress", "ls", "--json").out.splitlines()]
    assert [(each["scope"], each["in_effect"]) for each in found] == [("source:crm", True)]
    every = notify("suppress", "ls", "--all", "--json").out.splitlines()
    assert json.loads(every[1])["vendor_lift"] is True


def test_the_list_is_filtered(notify: Notify, store: Store) -> None:
    """By channel, reason, scope and time."""
    bounce(store)
    notify("suppress", "add", "+4915112345678", "--channel", "sms", *WHY)
    for given, expected in (
        (("--channel", "email"), ["1"]),
        (("--kind", "operator"), ["2"]),
        (("--scope", "source:shop"), []),
        (("--since", "1h"), ["2", "1"]),
        (("--limit", "1"), ["2"]),
    ):
        lines = notify("suppress", "ls", "--json", *given).out.splitlines()
        assert [str(json.loads(line)["id"]) for line in lines] == expected
    assert "sendgrid bounce 5.1.1" in notify("suppress", "ls").out


def test_a_binding_entry_stops_critical_categories_too(notify: Notify, store: Store) -> None:
    """An operator decides that nothing may go there, not even a password reset."""
    notify("suppress", "add", "ann@example.com", "--binding", "--for", "30d", *WHY)
    assert "stops     every category\n" in notify("suppress", "show", "1").out
    assert stopped(store)


def test_an_export_can_be_imported_and_contains_no_address(
    notify: Notify, store: Store, tmp_path: Path
) -> None:
    """The hash identifies the recipient."""
    bounce(store)
    bounce(store, "bob@example.com")
    notify("suppress", "lift", "bob@example.com", *WHY)
    exported = notify("suppress", "export").out
    assert "example.com" not in exported
    assert len(exported.splitlines()) == 2
    file = tmp_path / "export.csv"
    file.write_text(exported)
    again = notify("suppress", "import", file, "--json", *WHY)
    assert json.loads(again.out) == {"read": 1, "added": 0, "refused": 0}
    assert len(notify("suppress", "export", "--all").out.splitlines()) == 3


def test_an_import_reads_addresses_in_any_spelling(
    notify: Notify, store: Store, tmp_path: Path
) -> None:
    """Rows that cannot be read are named by their lines; the others are imported."""
    file = tmp_path / "list.csv"
    rows = ["Email,Created,Reason", "ANN@example.com,x,", "not an address,x,", "bob@Example.com,x,"]
    file.write_text("\r\n".join([*rows, "eve@example.com,x,550 mailbox unknown", ""]))
    done = notify(
        "suppress", "import", file, "--channel", "email", "--kind", "bounce", "--for", "90d", *WHY
    )
    assert done.code == 1
    assert "2 entries read, 2 added" in done.out
    assert "line 3: the recipient is not an address of email" in done.err
    assert "line 5: reason is not one of" in done.err
    assert "mailbox unknown" not in done.err
    assert stopped(store)
    assert stopped(store, "bob@example.com")
    assert not stopped(store, "eve@example.com")
    assert acts(store) == ["suppress.imported", "suppress.import"]


def test_a_file_of_one_column_needs_no_header(notify: Notify, store: Store, tmp_path: Path) -> None:
    """As a list of addresses from anywhere."""
    file = tmp_path / "list.csv"
    file.write_text("".join(f"p{number}@example.com\n" for number in range(2500)))
    done = notify("suppress", "import", file, "--channel", "email", "--json", *WHY)
    assert json.loads(done.out) == {"read": 2500, "added": 2500, "refused": 0}
    assert stopped(store, "p2499@example.com")
    again = notify("suppress", "import", file, "--channel", "email", "--json", *WHY)
    assert json.loads(again.out)["added"] == 0


def test_an_erased_recipient_stays_suppressed(notify: Notify, store: Store) -> None:
    """The hash is enough, and the person opted out for good."""
    notify("suppress", "add", "ann@example.com", "--kind", "opt_out", *WHY)
    begin(store, now=store.clock(), to="eve@example.com")
    answer_to(store, call_for(asked()), now=store.clock())
    assert notify("erase", "ann@example.com", "--yes").code == 0
    assert stopped(store)


def test_the_timeline_of_a_suppressed_message_names_the_entry(notify: Notify, store: Store) -> None:
    """The reason is the command that shows the evidence."""
    number = bounce(store)
    entry = call_for(asked())
    answer_to(store, entry, now=store.clock())
    shown = notify("show", entry.notification.id).out
    assert Status.SUPPRESSED in shown
    assert f"suppressed: bounce, see notify suppress show {number}" in shown
    assert notify("suppress", "show", number).code == 0


@pytest.mark.parametrize(
    "row",
    [
        "Ann <ann@example.com>,all,",
        "@,all,",
        "ann@example.com,sender:a\0b,",
        "ann@example.com,sender:\x1b[31m,",
        "ann@example.com,all,0001-01-01T00:00:00+14:00",
    ],
)
def test_a_row_that_could_stop_no_message_is_refused(
    notify: Notify, store: Store, tmp_path: Path, row: str
) -> None:
    """The others are imported."""
    file = tmp_path / "list.csv"
    file.write_text(f"email,scope,since\n{row}\nbo@example.com,all,\n")
    done = notify("suppress", "import", file, "--channel", "email", *WHY)
    assert (done.code, done.out[:22]) == (1, "1 entries read, 1 adde")
    assert "line 2: " in done.err
    assert stopped(store, "bo@example.com")


def test_a_quotation_mark_without_its_end_is_an_error(
    notify: Notify, store: Store, tmp_path: Path
) -> None:
    """The rest of the file would be one recipient, and stop none."""
    assert not stopped(store)
    file = tmp_path / "list.csv"
    file.write_text('email\n"ann@example.com\nbo@example.com\n')
    done = notify("suppress", "import", file, "--channel", "email", *WHY)
    assert done.code == 1
    assert "is not CSV after 0 rows" in done.err


@pytest.mark.parametrize(
    "recipient", ["Ann <ann@example.com>", "Ann<ann@example.com>", "0151 123456"]
)
def test_only_an_address_is_added(notify: Notify, recipient: str) -> None:
    """The entry would stop no message, and the operator would believe that it does."""
    done = notify("suppress", "add", recipient, *WHY)
    assert done.code == 2
    assert "is not an address of" in done.err
