"""`notify schema` and `notify lint`: the contract for authors of producers."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from notify.cli.options.filters import channel_option
from notify.cli.output import print_json
from notify.cli.send.requests import RequestText, pieces
from notify.contract import (
    DEFAULT_LIMITS,
    Limits,
    Problem,
    TemplateCheck,
    counted,
    feedback_schema,
    likely_channel,
    opt_out_schema,
    problems,
)
from notify.contract import schema as contract_schema
from notify.errors import ConfigError
from notify.message import Channel
from notify.service.contract import category_names
from notify.service.senders import sender_names
from notify.settings import load
from notify.templating import TemplateNames, Templates

_channel = channel_option("The channel, which is in the routing key and not in the body.")


@dataclass(frozen=True, slots=True)
class _Finding:
    """The problems of one request."""

    line: int
    channel: Channel | None
    problems: list[Problem]
    counted: str | None
    """The units that a provider will count; None if that is one message, or not known yet."""


@click.command()
@_channel
@click.option("--feedback", is_flag=True, help="The messages `feedback.<source>` instead.")
@click.option("--optout", is_flag=True, help="The messages `optout.<source>` instead.")
def schema(channel: Channel | None, feedback: bool, optout: bool) -> None:
    """Print the contract for producers as JSON Schema (draft 2020-12).

    Without --channel it describes the requests of any channel.

    \b
    Examples:
      notify schema --channel email > email.schema.json
      notify schema --feedback > feedback.schema.json
    """
    if feedback + optout + (channel is not None) > 1:
        raise click.UsageError("use one of --channel, --feedback and --optout")
    reports = feedback_schema() if feedback else opt_out_schema() if optout else None
    print_json(reports or contract_schema(channel), indent=2)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@_channel
@click.option(
    "--templates",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Check the templates' names against this folder and the packaged ones. Default: the"
    " configured templates.folder; without either, names are not checked.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as one JSON object.")
def lint(file: str, channel: Channel | None, templates: Path | None, as_json: bool) -> None:
    """Check requests before they are published: every problem, its place, and what to do.

    FILE contains one request, a JSON array of requests, or JSON Lines; - reads standard input.
    Without --channel each request is checked for its most likely channel. Of an SMS with its own
    text, the segments are printed. Exits 1 if any is wrong.

    \b
    Examples:
      notify lint order.json --channel email --templates ./templates
      generate-requests | notify lint -
    """
    name = "standard input" if file == "-" else file
    with click.open_file(file, "rb") as stream:
        entries = list(pieces(stream, name=name)) or [RequestText(b"", 1)]
    check, limits = _template_check(templates), _limits()
    found = [_finding(entry, channel, check, limits) for entry in entries]
    wrong = [finding for finding in found if finding.problems]
    if as_json:
        print_json(_as_json(found), indent=2)
    else:
        _print(name, found)
    sys.exit(1 if wrong else 0)


def _template_check(folder: Path | None) -> TemplateCheck | None:
    """Return a check of names; None if no folder is known, as for an author of producers."""
    if folder is None:
        try:
            folder = load().templates.folder
        except ConfigError:
            return None
    return TemplateNames(Templates(folder)).problem if folder is not None else None


def _limits() -> Limits:
    """Return the default limits, with the categories and senders if a configuration has any."""
    try:
        settings = load()
    except ConfigError:
        return DEFAULT_LIMITS
    return replace(
        DEFAULT_LIMITS,
        categories=category_names(settings) if settings.categories else None,
        senders=sender_names(settings) if settings.senders else None,
    )


def _finding(
    entry: RequestText, channel: Channel | None, check: TemplateCheck | None, limits: Limits
) -> _Finding:
    meant = channel or likely_channel(entry.text)
    wrong = problems(entry.text, channel=channel, limits=limits, template=check)
    count = counted(entry.text, meant) if meant is not None and not wrong else None
    return _Finding(entry.line, meant, wrong, count)


def _print(name: str, found: list[_Finding]) -> None:
    wrong, total = [finding for finding in found if finding.problems], len(found)
    for finding in found:
        if finding.counted is not None:
            click.echo(f"{name}, line {finding.line}: {finding.counted}")
    for finding in wrong:
        checked = f", read as {finding.channel}" if finding.channel else ""
        click.echo(f"{name}, line {finding.line}{checked}")
        places = [_place(finding, problem) for problem in finding.problems]
        width = max(map(len, places))
        for place, problem in zip(places, finding.problems, strict=True):
            click.echo(f"  {place:<{width}}  {problem.why}")
            if problem.hint:
                click.echo(f"  {'':<{width}}  → {problem.hint}")
        click.echo()
    noun = "request" if total == 1 else "requests"
    if wrong:
        click.echo(f"{len(wrong)} of {total} {noun} wrong")
    else:
        click.echo(f"{total} {noun}, nothing wrong")


def _place(finding: _Finding, problem: Problem) -> str:
    if problem.line:
        return f"{_file_line(finding, problem)}:{problem.column}"
    return problem.named or problem.where or "(all)"


def _file_line(finding: _Finding, problem: Problem) -> int:
    return finding.line + (problem.line or 1) - 1


def _as_json(found: list[_Finding]) -> dict[str, Any]:
    return {
        "requests": len(found),
        "wrong": sum(bool(finding.problems) for finding in found),
        "problems": [
            {
                "request": number,
                "line": _file_line(finding, problem),
                "column": problem.column,
                "channel": finding.channel,
                "where": problem.named or problem.where,
                "why": problem.why,
                "hint": problem.hint,
            }
            for number, finding in enumerate(found)
            for problem in finding.problems
        ],
        "counted": [
            {"request": number, "line": finding.line, "counted": finding.counted}
            for number, finding in enumerate(found)
            if finding.counted is not None
        ],
    }
