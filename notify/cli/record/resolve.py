"""`notify resolve`: an operator decides on notifications whose outcome is unknown."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import click

from notify.cli.options.actor import actor_of, reason_option
from notify.cli.options.filters import source_option
from notify.errors import NotifyError, StoreError
from notify.reconcile import Resolution, decide
from notify.service.record import opened_record
from notify.settings import load

_SAYS = {
    Resolution.SENT: "counts as sent",
    Resolution.NOT_SENT: "was not sent: it is attempted again, unless its recipient is suppressed",
    Resolution.RESEND: "is sent again, as a possible duplicate, unless its recipient is suppressed",
}


@click.command(
    epilog="""\b
Examples:
  notify ls --status unknown
  notify resolve 0b0e6a52-8f0e-4c52-9c2e-0f5b6b1f7a10 --calls 2 --sent --reason "in Twilio's log"
  notify ls --status unknown --source shop --json | jq -r 'select(.attempts == 1).id' \\
    | xargs notify resolve --not-sent --reason "INC-7: Twilio accepted nothing"
"""
)
@click.argument("ids", metavar="ID...", type=click.UUID, nargs=-1, required=True)
@click.option("--sent", "finding", flag_value=Resolution.SENT, type=Resolution, help="It was sent.")
@click.option(
    "--not-sent",
    "finding",
    flag_value=Resolution.NOT_SENT,
    type=Resolution,
    help="It was certainly not sent: attempt it again.",
)
@click.option(
    "--resend",
    "finding",
    flag_value=Resolution.RESEND,
    type=Resolution,
    help="It cannot be found out: send it again, marked as a possible duplicate.",
)
@click.option(
    "--calls",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="How many calls you have seen: if there was another one since, nothing is changed.",
)
@source_option
@reason_option("How you know, or why; kept in the audit.")
def resolve(
    *,
    ids: Sequence[UUID],
    finding: Resolution | None,
    calls: int,
    source: str | None,
    reason: str,
) -> None:
    """Decide on notifications whose outcome is unknown and that wait for an operator.

    Also on a notification that is `sending` five minutes after its lease: no worker will record
    its call.

    A notification waits for an operator if the provider's answer was lost, the provider's list did
    not help or does not exist, and the rule is to park. Find out what happened, in the provider's
    log or from the recipient, and name it. The audit records who decided and why. A notification
    that another decision or a late answer has settled is not changed, and is reported; neither is
    one that has had more than one call, unless `--calls` says that you have seen the last one.
    """
    if finding is None:
        raise click.UsageError("name what you found out: --sent, --not-sent or --resend")
    actor = actor_of(reason, hint="say how you know")
    refused = 0
    with opened_record(load()) as store:
        for id_ in ids:
            try:
                decide(store, id_, finding, actor, source=source, calls=calls, now=store.clock())
            except StoreError:
                raise
            except NotifyError as error:
                refused += 1
                click.echo(f"notify: {error}", err=True)
            else:
                click.echo(f"{id_} {_SAYS[finding]}")
    if refused:
        raise NotifyError(f"{refused} of {len(ids)} were not changed")
