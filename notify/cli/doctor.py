"""`notify doctor`: check an installation; each finding has its fix."""

from __future__ import annotations

import sys
from collections import Counter
from ipaddress import ip_address
from typing import IO

import click

from notify.cli.options.as_json import json_option
from notify.cli.output import print_json
from notify.cli.topology import definitions_option, parsed
from notify.doctor import DNS_PORT, Finding, Severity, examine, findings_as_json, worst

_COLOURS = {
    Severity.OK: "green",
    Severity.UNCHECKED: "cyan",
    Severity.WARN: "yellow",
    Severity.FAIL: "red",
}
_WORDS = {Severity.OK: "ok", Severity.UNCHECKED: "?", Severity.WARN: "warn", Severity.FAIL: "FAIL"}
_COUNTED = {
    Severity.FAIL: "failed",
    Severity.WARN: "doubtful",
    Severity.UNCHECKED: "not checked",
    Severity.OK: "good",
}
_CODES = {Severity.FAIL: 1, Severity.WARN: 3}
_NAME = 16
"""Columns of the longest check's name."""


def _server(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> tuple[str, int] | None:
    """Return the address and port of a DNS server."""
    if value is None:
        return None
    host, port = value, str(DNS_PORT)
    if value.startswith("[") or value.count(":") == 1:
        host, _, port = value.rpartition(":")
    try:
        address, number = str(ip_address(host.strip("[]"))), int(port)
    except ValueError:
        raise click.BadParameter("write an IP address, such as 1.1.1.1 or 127.0.0.1:5353") from None
    return address, number


@click.command()
@definitions_option
@click.option("--skip-providers", is_flag=True, help="Ask no provider whether it accepts our key.")
@click.option("--skip-dns", is_flag=True, help="Do not check the sender domains.")
@click.option(
    "--dns",
    metavar="HOST[:PORT]",
    callback=_server,
    help="Ask this DNS server, by its IP address, instead of the system's resolver.",
)
@json_option
def doctor(
    *,
    definitions: IO[bytes] | None,
    skip_providers: bool,
    skip_dns: bool,
    dns: tuple[str, int] | None,
    as_json: bool,
) -> None:
    """Check the installation, and print how to fix each fault.

    It checks the configuration, files of secrets, libraries and templates; the record, its tables
    and clock; RabbitMQ's version, topology, rights and alarms; whether each pool's queues are
    consumed; circuits and holds; whether the providers accept our keys; and the SPF, DKIM and
    DMARC of the sender domains. It changes nothing, sends nothing, and may run at any time, as the
    service's own user with its configuration.

    The exit code is 0 if nothing is wrong, 1 if something failed, 3 if there are only warnings.
    A check that is not possible from here (?) is listed with the command that makes it, and does
    not change the exit code.

    \b
    Examples:
      notify doctor
      notify doctor --dns 1.1.1.1
      notify doctor --skip-providers --json | jq -r '.findings[] | select(.fix) | .found, .fix'
      rabbitmqctl export_definitions - --format json | notify doctor --definitions -
    """
    written = parsed(definitions) if definitions else None
    findings = []
    for finding in examine(
        definitions=written, ask_providers=not skip_providers, ask_dns=not skip_dns, dns=dns
    ):
        findings.append(finding)
        if not as_json:
            _print(finding)
    if as_json:
        print_json(findings_as_json(findings))
    else:
        click.echo(f"\n{_summary(findings)}")
    sys.exit(_CODES.get(worst(findings), 0))


def _print(finding: Finding) -> None:
    word = click.style(f"{_WORDS[finding.verdict]:<5}", fg=_COLOURS[finding.verdict])
    first, *rest = finding.found.splitlines()
    click.echo(f"{word} {finding.check:<{_NAME}}  {first}")
    fix = [f"→ {finding.fix}"] if finding.fix else []
    for line in (*rest, *fix):
        click.echo(f"{'':{5 + 1 + _NAME + 2}}{line}")


def _summary(findings: list[Finding]) -> str:
    counts = Counter(finding.verdict for finding in findings)
    return ", ".join(
        f"{counts[verdict]} {word}" for verdict, word in _COUNTED.items() if counts[verdict]
    )
