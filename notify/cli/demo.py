"""`notify demo`: send samples through a private stack, and check how each ends."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click
from rich.live import Live
from rich.text import Text

from notify.cli.console import Console, Table
from notify.cli.options.number import NumberRange
from notify.cli.output import plain_table, print_whole
from notify.cli.record.view import facts, timeline
from notify.cli.up import state_dir_option, stopping_on_signals, timed_lines
from notify.stack import SampleOutcome, Stack, Trial, folder_or_temporary, load
from notify.status.notification import masked

_INTERVAL = 0.2
_NEXT = (
    "To see all this as web pages, run `make up` or `notify up`: it keeps the stack, and prints the"
    " address of the console and a login (docs/console.md)."
)


@click.command(
    epilog="""\b
Examples:
  notify demo
  notify demo --examples my/samples --state-dir /tmp/n
"""
)
@click.option(
    "--examples",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default="examples/samples",
    show_default=True,
    help="The folder of sample files: the requests to publish, and how each must end.",
)
@state_dir_option
@click.option(
    "--timeout",
    type=NumberRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="The time in which all samples must end.",
)
def demo(examples: Path, state_dir: Path | None, timeout: float) -> None:
    """Start everything, publish sample notifications and show how each ends.

    It exits with 0 only if every sample ended as its file expects. Nothing leaves this machine,
    and everything that it started is stopped.
    """
    samples = load(examples)
    console = Console()
    console.print("Starting a private stack:")
    with (
        stopping_on_signals(),
        folder_or_temporary(state_dir) as folder,
        Stack(folder, report=timed_lines()) as stack,
        Trial(samples, endpoints=stack.endpoints, keyring=stack.state.keyring()) as trial,
    ):
        console.print(f"\nPublishing {len(samples)} samples from {examples}:\n")
        trial.publish()
        seconds = _follow(trial, stack, console, timeout)
        _show_one(trial, console)
        ended = trial.as_expected
        console.print(f"\n{_verdict(trial, seconds)}")
        console.print(f"\n{_NEXT}")
    sys.exit(0 if ended else 1)


def _follow(trial: Trial, stack: Stack, console: Console, timeout: float) -> float:
    """Show the samples until each has ended as expected, or the time is up."""
    begin = time.monotonic()
    with Live(_table(trial), console=console, auto_refresh=False) as live:
        while not trial.as_expected and time.monotonic() - begin < timeout:
            stack.check()
            trial.observe(seconds=_INTERVAL)
            live.update(_table(trial), refresh=True)
    console.print()
    return time.monotonic() - begin


def _show_one(trial: Trial, console: Console) -> None:
    """Show one sample's timeline: the longest, which shows most."""
    stories = [(run, story) for run in trial.runs if (story := trial.store.get(run.message_id))]
    if not stories:
        return
    run, story = max(stories, key=lambda one: len(one[1].attempts) + len(one[1].events))
    console.print(f"\n[bold]{run.sample.name}[/] in detail, as `notify show` prints it:\n")
    print_whole(console, facts(masked(story.summary)))
    console.print()
    print_whole(console, timeline(story))


def _table(trial: Trial) -> Table:
    table = plain_table()
    for title in ("", "sample", "routing key", "expected", "actual"):
        table.add_column(title, no_wrap=True)
    for run in trial.runs:
        table.add_row(
            Text("✓", "green") if run.as_expected else Text("…", "yellow"),
            run.sample.name,
            run.sample.routing_key,
            _ending(run.sample.expect),
            _ending(SampleOutcome(statuses=run.counts, dead=run.dead)),
        )
    return table


def _ending(ending: SampleOutcome) -> str:
    parts = [
        str(status) if number == 1 else f"{number} {status}"
        for status, number in sorted(ending.counts.items())
    ]
    return ", ".join([*parts, *(["dead"] if ending.dead else [])]) or "nothing yet"


def _verdict(trial: Trial, seconds: float) -> str:
    wrong = [run.sample.name for run in trial.runs if not run.as_expected]
    if wrong:
        return f"[red]Not as expected after {seconds:.1f} s:[/] {', '.join(wrong)}"
    return f"[green]All {len(trial.runs)} samples ended as expected[/] in {seconds:.1f} s."
