"""`notify doctor`: what is wrong with an installation, each finding with its fix."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict
from typing import IO, Any

import click

from notify.cli.topology import definitions_option, parsed
from notify.doctor import Finding, Severity, examine

_COLOURS = {
    Severity.OK: "green",
    Severity.UNCHECKED: "cyan",
    Severity.WARN: "yellow",
    Severity.FAIL: "red",
}
_WORDS = {Severity.OK: "ok", Severity.UNCHECKED: "?", Severity.WARN: "warn", Severity.FAIL: "FAIL"}
_SAID = {
    Severity.FAIL: "failed",
    Severity.WARN: "doubtful",
    Severity.UNCHECKED: "not checked",
    Severity.OK: "good",
}
_CODES = {Severity.FAIL: 1, Severity.WARN: 3}
_NAME = 16
"""Columns of the longest check's name."""


@click.command()
@definitions_option
@click.option("--skip-providers", is_flag=True, help="Ask no provider whether it takes our key.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doctor(*, definitions: IO[bytes] | None, skip_providers: bool, as_json: bool) -> None:
    """Look for what is wrong, and tell how to mend it.

    Configuration, secrets' files, libraries, templates; the record, its tables and clock; RabbitMQ,
    its version, topology, rights and alarms; whether each pool's queues are consumed; circuits and
    holds; whether the providers take our keys. It changes nothing, sends nothing, and may run at
    any time, as the service's own user with its configuration.

    The exit code is 0 if nothing is wrong, 1 if something failed, 3 if there are warnings only.
    What cannot be told from here (?) is listed with how to look, and leaves the exit code alone.

    \b
    Examples:
      notify doctor
      notify doctor --skip-providers --json | jq -r '.findings[] | select(.fix) | .found, .fix'
      rabbitmqctl export_definitions - --format json | notify doctor --definitions -
    """
    written = parsed(definitions) if definitions else None
    findings = []
    for finding in examine(definitions=written, ask_providers=not skip_providers):
        findings.append(finding)
        if not as_json:
            _tell(finding)
    worst = _worst(findings)
    if as_json:
        click.echo(json.dumps(as_plain(findings), ensure_ascii=False))
    else:
        click.echo(f"\n{_summary(findings)}")
    sys.exit(_CODES.get(worst, 0))


def _tell(finding: Finding) -> None:
    word = click.style(f"{_WORDS[finding.verdict]:<5}", fg=_COLOURS[finding.verdict])
    first, *rest = finding.found.splitlines()
    click.echo(f"{word} {finding.check:<{_NAME}}  {first}")
    fix = [f"→ {finding.fix}"] if finding.fix else []
    for line in (*rest, *fix):
        click.echo(f"{'':{5 + 1 + _NAME + 2}}{line}")


def _summary(findings: list[Finding]) -> str:
    counts = Counter(finding.verdict for finding in findings)
    return ", ".join(
        f"{counts[verdict]} {said}" for verdict, said in _SAID.items() if counts[verdict]
    )


def _worst(findings: list[Finding]) -> Severity:
    found = {finding.verdict for finding in findings}
    return next((each for each in (Severity.FAIL, Severity.WARN) if each in found), Severity.OK)


def as_plain(findings: list[Finding]) -> dict[str, Any]:
    """Give the findings as JSON's types."""
    counts = Counter(finding.verdict.value for finding in findings)
    return {
        "verdict": _worst(findings).value,
        "counts": {verdict.value: counts[verdict.value] for verdict in Severity},
        "findings": [asdict(finding) for finding in findings],
    }
