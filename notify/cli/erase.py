"""`notify erase`: a person's data leave the record."""

from __future__ import annotations

from collections import Counter

import click

from notify.cli.options.actor import operator
from notify.cli.options.as_json import json_option
from notify.cli.options.confirmation import confirm, yes_option
from notify.cli.options.given import first_line_of_stdin
from notify.cli.output import print_json
from notify.contract import reading
from notify.errors import NotifyError
from notify.message import Status
from notify.privacy import Erased, ErasureMatch, Person, look
from notify.privacy import erase as erase_from
from notify.service import opened_record
from notify.settings import load
from notify.status import erased_as_json
from notify.store import Actor


@click.command()
@click.argument("recipient", metavar="RECIPIENT")
@click.option(
    "--cancel", is_flag=True, help="Cancel what still waits to be sent; without, it is refused."
)
@click.option("--reason", metavar="TEXT", default="", help="Why; kept in the audit.")
@yes_option
@json_option
def erase(recipient: str, *, cancel: bool, reason: str, yes: bool, as_json: bool) -> None:
    """Erase all that the record holds of one recipient.

    RECIPIENT is an address, a phone number or a device token; `-` reads it from stdin, which leaves
    no trace in the shell's history, and needs --yes. Address, body and data go from its
    notifications, its dead letters and the audit; statuses, times and counts stay. It may be
    interrupted and run again. The audit keeps who did it, and a hash of the recipient.

    What lies in RabbitMQ or in backups is not reached: docs/privacy.md tells what to do there.
    Exit code 1 means that something is left, and says what.

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
    person = Person(reading(recipient))
    with opened_record(load()) as store:
        found = look(store, person)
        if not as_json:
            click.echo(_told(found))
        if found.to_cancel and not cancel:
            raise NotifyError(
                f"{found.to_cancel:,} of it still wait to be sent or decided: nothing was erased;"
                " --cancel gives them up first"
            )
        if not found.nothing:
            confirm("erase it, for good?", yes=yes)
        now, actor = store.clock(), Actor(operator(), reason)
        done = erase_from(store, person, found, actor, cancel=cancel, now=now)
    if as_json:
        print_json(erased_as_json(done))
    else:
        click.echo(_summary(done))
    _refuse_to_end(done)


def _told(found: ErasureMatch) -> str:
    if found.nothing:
        return "the record holds nothing of this recipient"
    waits = sum(each.waits for each in found.letters)
    lines = [f"{len(found.ids):,} notifications{_by_status(found.statuses)}"]
    lines += [f"{len(found.letters):,} dead letters" + (f", {waits:,} that wait" if waits else "")]
    lines += [f"{len(found.audit):,} rows of the audit that name it"]
    return "\n".join(lines)


def _by_status(statuses: Counter[Status]) -> str:
    told = ", ".join(f"{statuses[each]:,} {each}" for each in Status if statuses[each])
    return f": {told}" if told else ""


def _summary(done: Erased) -> str:
    cancelled = f", {done.cancelled:,} of which were cancelled" if done.cancelled else ""
    return f"erased: {done.notifications:,} notifications{cancelled}, {done.letters:,} dead letters"


def _refuse_to_end(done: Erased) -> None:
    left = []
    if done.busy:
        ids = ", ".join(str(each) for each in done.busy[:5])
        left.append(f"{len(done.busy):,} are with a worker: run it again in a minute ({ids})")
    if done.shared:
        ids = ", ".join(str(each) for each in done.shared)
        left.append(f"dead letters that wait name others too: replay or discard them first ({ids})")
    if left:
        raise NotifyError("something is left: " + "; ".join(left))
