"""`notify resolve`: a person decides where nobody knows whether a notification was sent."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import click

from notify.cli.options.actor import myself
from notify.cli.options.filters import source_option
from notify.errors import NotifyError, StoreError
from notify.reconcile import Resolution, decide
from notify.service import opened_record
from notify.settings import load
from notify.store import Actor

_SAYS = {
    Resolution.SENT: "counts as sent",
    Resolution.NOT_SENT: "is tried again: it was not sent",
    Resolution.RESEND: "is sent again, as a possible duplicate",
}


@click.command(
    epilog="""\b
Examples:
  notify ls --status unknown
  notify resolve 0b0e6a52-8f0e-4c52-9c2e-0f5b6b1f7a10 --sent --reason "in Twilio's log"
  notify ls --status unknown --source shop --json | jq -r .id \\
    | xargs notify resolve --not-sent --reason "INC-7: Twilio took nothing"
"""
)
@click.argument("ids", metavar="ID...", type=click.UUID, nargs=-1, required=True)
@click.option(
    "--sent", "finding", flag_value=Resolution.SENT, type=Resolution, help="It was sent: let it be."
)
@click.option(
    "--not-sent",
    "finding",
    flag_value=Resolution.NOT_SENT,
    type=Resolution,
    help="It was certainly not sent: try again.",
)
@click.option(
    "--resend",
    "finding",
    flag_value=Resolution.RESEND,
    type=Resolution,
    help="Nobody can tell: send it again, marked as a possible duplicate.",
)
@source_option
@click.option("--reason", required=True, help="How you know, or why; kept in the audit.")
def resolve(
    *, ids: Sequence[UUID], finding: Resolution | None, source: str | None, reason: str
) -> None:
    """Decide on notifications whose outcome is unknown, and which wait for a person.

    So does one that stays `sending` five minutes after its lease: nobody will record its call.

    The answer to a call was lost, the provider's list did not help or there is none, and the rule
    is to park. Find out what happened, in the provider's own log or by asking the recipient, and
    say so. The audit keeps who decided and why. What another decision or a late answer has settled
    meanwhile is left alone and reported.
    """
    if finding is None:
        raise click.UsageError("say what you found out: --sent, --not-sent or --resend")
    if not reason.strip():
        raise click.UsageError("--reason is empty: say how you know")
    actor = Actor(myself(), reason)
    wrong = 0
    with opened_record(load()) as store:
        for id_ in ids:
            try:
                decide(store, id_, finding, actor, source=source, now=store.clock())
            except StoreError:
                raise
            except NotifyError as error:
                wrong += 1
                click.echo(f"notify: {error}", err=True)
            else:
                click.echo(f"{id_} {_SAYS[finding]}")
    if wrong:
        raise NotifyError(f"{wrong} of {len(ids)} were left as they are")
