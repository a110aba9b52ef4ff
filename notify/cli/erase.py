"""`notify erase`: erase a person's data from the record."""

from __future__ import annotations

from collections import Counter

import click

from notify.cli.options.actor import operator, reason_option
from notify.cli.options.as_json import json_option
from notify.cli.options.confirmation import confirm, yes_option
from notify.cli.options.given import first_line_of_stdin
from notify.cli.output import print_json
from notify.contract import normal_form
from notify.errors import NotifyError
from notify.message import Status
from notify.privacy import Erased, ErasureMatch, Person, look
from notify.privacy import erase as erase_from
from notify.service.record import opened_record
from notify.settings import load
from notify.status.privacy import erased_as_json
from notify.store import Actor


@click.command()
@click.argument("recipient", metavar="RECIPIENT")
@click.option(
    "--cancel", is_flag=True, help="Cancel notifications that wait; without it, they are refused."
)
@reason_option(required=False)
@yes_option
@json_option
def erase(recipient: str, *, cancel: bool, reason: str, yes: bool, as_json: bool) -> None:
    """Erase the personal data of one recipient from the record.

    RECIPIENT is an address, a phone number or a device token; `-` reads it from stdin, which leaves
    no trace in the shell's history, and needs --yes. Address, body and data are removed from its
    notifications, its dead letters and the audit; statuses, times and counts stay. The command may
    be interrupted and run again. The audit records who ran it, and a hash of the recipient.

    Messages in RabbitMQ and backups are not erased: docs/privacy.md says what to do there.
    Exit code 1 means that something is left, and the text says what.

    \b
    Examples:
      notify erase ann@example.com --reason "ticket 4711"
      notify erase +4915112345678 --cancel --yes
      notify erase - --yes < recipient.txt
    """
    if recipient == "-":
        recipient = first_line_of_stdin()
    if not recipient.strip():
        raise click.UsageError("RECIPIENT is empty")
    person = Person(normal_form(recipient))
    with opened_record(load()) as store:
        found = look(store, person)
        if not as_json:
            click.echo(_counts(found))
        if found.to_cancel and not cancel:
            raise NotifyError(
                f"{found.to_cancel:,} of them still wait to be sent or decided: nothing was erased;"
                " --cancel cancels them first"
            )
        if not found.nothing:
            confirm("Erase it? This cannot be undone.", yes=yes)
        now, actor = store.clock(), Actor(operator(), reason)
        done = erase_from(store, person, found, actor, cancel=cancel, now=now)
    if as_json:
        print_json(erased_as_json(done))
    else:
        click.echo(_summary(done))
    _raise_if_incomplete(done)


def _counts(found: ErasureMatch) -> str:
    if found.nothing:
        return "the record has no data of this recipient"
    waits = sum(each.waits for each in found.letters)
    lines = [f"{len(found.ids):,} notifications{_by_status(found.statuses)}"]
    lines += [f"{len(found.letters):,} dead letters" + (f", {waits:,} that wait" if waits else "")]
    lines += [f"{len(found.audit):,} rows of the audit that name it"]
    return "\n".join(lines)


def _by_status(statuses: Counter[Status]) -> str:
    counts = ", ".join(f"{statuses[each]:,} {each}" for each in Status if statuses[each])
    return f": {counts}" if counts else ""


def _summary(done: Erased) -> str:
    cancelled = f", {done.cancelled:,} of which were cancelled" if done.cancelled else ""
    return f"erased: {done.notifications:,} notifications{cancelled}, {done.letters:,} dead letters"


def _raise_if_incomplete(done: Erased) -> None:
    left = []
    if done.busy:
        ids = ", ".join(str(each) for each in done.busy[:5])
        left.append(f"{len(done.busy):,} are being sent: run it again in a minute ({ids})")
    if done.shared:
        ids = ", ".join(str(each) for each in done.shared)
        left.append(
            f"waiting dead letters name other recipients too: replay or discard them first ({ids})"
        )
    if left:
        raise NotifyError("something is left: " + "; ".join(left))
