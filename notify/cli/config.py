"""`notify config`: check the configuration, or show the options in effect."""

from __future__ import annotations

from pathlib import Path

import click

from notify.keyring import NAME
from notify.settings import PrivacySettings, keyring_of
from notify.settings.checks import ConfigReport, check, error_of
from notify.settings.show import Effective, effective

_FILE = click.argument("file", required=False, type=click.Path(path_type=Path))


@click.group()
def config() -> None:
    """Check the configuration, or show the options in effect.

    \b
    Example:
      notify config check /etc/notify/notify.toml
    """


@config.command("check")
@_FILE
def check_command(file: Path | None) -> None:
    """List every mistake by its key, with its fix; exit 1 if there is one.

    It reads FILE, or else $NOTIFY_CONFIG, or else /etc/notify/notify.toml, together with the
    environment and $CREDENTIALS_DIRECTORY, as a worker does. It imports the providers and checks
    that their secrets exist, but connects to nothing and sends nothing. It prints no value of an
    option.

    \b
    Example:
      notify config check config/notify.toml
    """
    report = check(file)
    for warning in report.warnings:
        click.echo(f"warning: {warning}", err=True)
    if report.mistakes:
        raise error_of(report.mistakes, file=report.file)
    click.echo(_summary(report))
    if not keyring_of(PrivacySettings()).names:
        click.echo(f"recipients and bodies are recorded in clear: {NAME} is not set")


@config.command("show")
@_FILE
def show_command(file: Path | None) -> None:
    """Print every option in effect and the origin of its value; secrets are hidden.

    \b
    Example:
      notify config show | grep pools.email
    """
    options = list(effective(file))
    widths = [max(len(each.key) for each in options), max(len(each.value) for each in options)]
    for each in options:
        line = f"{each.key:<{widths[0]}}  {each.value:<{widths[1]}}  {_origin(each)}"
        click.echo(line.rstrip())


def _origin(option: Effective) -> str:
    return f"{option.origin.kind} {option.origin.name}".rstrip()


def _summary(report: ConfigReport) -> str:
    settings = report.settings
    assert settings is not None  # noqa: S101 - no mistakes: it could be loaded
    counts = {
        "channel": len(settings.channels),
        "lane": len(settings.lanes),
        "pool": len(settings.pools),
        "provider": len(settings.providers),
    }
    words = ", ".join(f"{count} {word}{'s' * (count != 1)}" for word, count in counts.items())
    return f"the configuration is valid: {words} ({report.file or 'no file'})"
