"""`notify dead plan` and `notify dead replay`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import IO
from uuid import UUID, uuid4

import click

from notify.cli.console import Console
from notify.cli.dead import view as view
from notify.cli.dead.choice import (
    Choice,
    actor_of,
    confirm,
    ids_argument,
    json_option,
    letters,
    limit_option,
    pace,
    reason_option,
    yes_option,
)
from notify.cli.dead.edit import EditRequest
from notify.cli.dead.progress import followed, lined_up, words
from notify.deadletters import Edit, ReplayPlan, ReplayRequest
from notify.errors import NotifyError
from notify.service import open_replayer, opened_record
from notify.settings import Settings, load
from notify.store import Actor, Store
from notify.store.deadletters import LetterFilter, read_waiting


@click.command()
@ids_argument
@letters
@pace
@limit_option
@json_option
def plan(
    *,
    ids: Sequence[int],
    wanted: LetterFilter,
    rate: float,
    include_unknown: bool,
    limit: int | None,
    as_json: bool,
) -> None:
    """Tell what a replay would do, and how long it takes; change nothing.

    It judges every waiting dead letter that is chosen by what the record knows of its
    notifications at this moment, and renders their templates: run it with the workers'
    configuration. Without IDs and options it plans for all of them.

    \b
    Examples:
      notify dead plan
      notify dead plan --cause failed --code 503 --rate 50
      notify dead plan 17 18 --include-unknown
    """
    settings = load()
    with opened_record(settings) as store:
        replaying = Replay(settings, store, Choice(ids, wanted, limit), as_json=as_json)
        replaying.order(rate=rate, include_unknown=include_unknown)
        replaying.plan(told=True)


@click.command()
@ids_argument
@letters
@pace
@limit_option
@reason_option
@yes_option
@click.option("--dry-run", is_flag=True, help="Only plan, as `notify dead plan`.")
@click.option("--edit", is_flag=True, help="Mend the body of the one ID in $EDITOR first.")
@click.option(
    "--body",
    type=click.File("rb"),
    metavar="FILE",
    help="Mend the one ID: send this body instead. - reads standard input.",
)
@click.option("--key", metavar="KEY", help="Mend the one ID: send it to this routing key.")
@click.option(
    "--wait/--no-wait",
    default=None,
    help="Stay until all have ended. Default: on a terminal only.",
)
@json_option
def replay(
    *,
    ids: Sequence[int],
    wanted: LetterFilter,
    rate: float,
    include_unknown: bool,
    limit: int | None,
    reason: str,
    yes: bool,
    dry_run: bool,
    edit: bool,
    body: IO[bytes] | None,
    key: str | None,
    wait: bool | None,
    as_json: bool,
) -> None:
    """Send the notifications of dead letters again, if they were never sent.

    It shows the plan and asks. What the provider accepted is refused, what is expired or on its
    way is skipped. The others get a time each, at --rate, and the workers send them under their
    own ids: through the limits, and never twice. So the command may be stopped, even killed, and
    run again, and several people may run it at once.

    \b
    Examples:
      notify dead replay --cause failed --since 2h --reason "INC-7: SendGrid is back"
      notify dead replay 17 --include-unknown --reason "not in Twilio's log"
      notify dead replay --edit 17 --reason "INC-9: a comma too many"
      notify dead replay 17 --body mended.json --key email.normal.shop --reason "INC-9" --yes
    """
    wish = EditRequest(edit=edit, body=body.read() if body else None, key=key)
    wish.check(chosen=len(ids))
    actor = actor_of(reason)
    settings = load()
    with opened_record(settings) as store:
        replaying = Replay(settings, store, Choice(ids, wanted, limit), as_json=as_json)
        replaying.order(rate=rate, include_unknown=include_unknown, wish=wish)
        if not replaying.plan(told=dry_run or not as_json) or dry_run:
            return
        confirm("Replay them?", yes=yes)
        replaying.perform(actor, wait=sys.stderr.isatty() if wait is None else wait)


class Replay:
    """A replay of chosen letters."""

    def __init__(self, settings: Settings, store: Store, choice: Choice, *, as_json: bool) -> None:
        """Find what was chosen."""
        self._store = store
        self._replayer = open_replayer(settings, store)
        self._choice = choice
        self._as_json = as_json
        self._order = ReplayRequest(choice.find(store), rate=1.0)

    def order(self, *, rate: float, include_unknown: bool, wish: EditRequest | None = None) -> None:
        """Take what is to be done with it."""
        self._order = replace(self._order, rate=rate, include_unknown=include_unknown)
        if wish and self._order.ids:
            with self._store.reading() as connection:
                held = read_waiting(connection, self._order.ids)
            if held:
                mending = wish.of(held[0], wrong=self._wrong)
                self._order = replace(self._order, mending=mending)

    def plan(self, *, told: bool) -> bool:
        """Tell what would be done, if *told*; give whether there is anything to do."""
        plan = self._replayer.plan(self._order)
        if self._as_json:
            self._dump(plan, told=told)
        elif not self._order.ids:
            click.echo(self._choice.none(self._store), err=True)
        elif told:
            self._print(plan)
        if self._order.mending and plan.unfit:
            raise NotifyError(f"it cannot be sent yet: {'; '.join(plan.unfit.values())}")
        return bool(plan.replayed)

    def perform(self, actor: Actor, *, wait: bool) -> None:
        """Line all up, and stay until all have ended if asked to."""
        replay_id = uuid4()
        done: list[UUID] = []
        steps = self._replayer.replay(self._order, actor, replay_id=replay_id)
        try:
            for step in lined_up(steps, letters=len(self._order.ids)):
                done += step.replayed
        except KeyboardInterrupt:
            raise NotifyError(
                f"stopped: {len(done):,} notifications are lined up and will be sent;"
                " run it again for the rest"
            ) from None
        if self._as_json:
            click.echo(json.dumps({"replay_id": str(replay_id), "notifications": len(done)}))
        else:
            click.echo(f"{len(done):,} notifications are lined up, as replay {replay_id}")
        if wait and done:
            self._follow(done)

    def _wrong(self, mending: Edit) -> str:
        plan = self._replayer.plan(replace(self._order, mending=mending))
        return "; ".join(plan.unfit.values())

    def _follow(self, done: Sequence[UUID]) -> None:
        try:
            ended = followed(self._store, done)
        except KeyboardInterrupt:
            click.echo("they are sent without this command; `notify ls` shows them", err=True)
        else:
            click.echo(f"ended: {words(ended)}", err=self._as_json)

    def _print(self, plan: ReplayPlan) -> None:
        console = Console()
        asked = sum(plan.prospects.values())
        click.echo(f"{plan.letters:,} dead letters that wait, asking for {asked:,} notifications\n")
        console.print(view.forecast(plan, include_unknown=self._order.include_unknown))
        for line in view.unfit(plan):
            click.echo(line)
        if plan.replayed:
            needed = view.time_needed(plan, self._order.rate, now=self._store.clock())
            click.echo(f"\n{needed}")
        else:
            click.echo("\nNothing is to be replayed.")

    def _dump(self, plan: ReplayPlan, *, told: bool) -> None:
        """Print the plan if it is to be told, or that nothing follows; else the replay prints."""
        if told:
            click.echo(json.dumps(self._dumped(plan)))
        elif not plan.replayed:
            click.echo(json.dumps({"replay_id": None, "notifications": 0}))

    def _dumped(self, plan: ReplayPlan) -> dict[str, object]:
        return {
            "letters": plan.letters,
            "notifications": {
                prospect.replace(" ", "_"): number for prospect, number in plan.prospects.items()
            },
            "replayed": sum(plan.replayed.values()),
            "rate": self._order.rate,
            "seconds": round(plan.seconds(self._order.rate, now=self._store.clock()), 3),
            "unfit": {str(id_): why for id_, why in plan.unfit.items()},
        }
