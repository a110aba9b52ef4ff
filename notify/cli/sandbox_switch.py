"""`notify sandbox switch`: outages, latencies and limits of a sandbox that runs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click
import urllib3

from notify.errors import ConfigError
from notify.sandbox.behaviour import Behaviour, Vendor
from notify.sandbox.switch import MAX_RATE, seconds
from notify.stack import ENDPOINTS

_END = "none"
_ALONE = "http://127.0.0.1:8025"
_TIMEOUT = 10.0


class Duration(click.ParamType[float]):
    """A time such as `50ms` or `1.5s`."""

    name = "duration"

    def convert(
        self, value: str | float, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds."""
        try:
            return seconds(str(value))
        except ValueError as error:
            self.fail(f"{value!r} is {error}", param, ctx)


class _Rate(click.ParamType[int | str]):
    name = "rate"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        if value == _END:
            return value
        if not str(value).isdecimal() or int(value) > MAX_RATE:
            text = f"{value!r} is neither a whole number up to {MAX_RATE} nor {_END}"
            self.fail(text, param, ctx)
        return int(value)


@click.command()
@click.option(
    "--url",
    help="Where the sandbox listens. Default: that of the `notify up` whose notify.toml is in "
    f"NOTIFY_CONFIG, else {_ALONE}.",
)
@click.option(
    "--vendor", type=click.Choice([each.value for each in Vendor]), help="Whose calls to change."
)
@click.option(
    "--account",
    metavar="NAME",
    help="Whose calls to change: the name in base_url behind the sandbox's address.",
)
@click.option(
    "--behaviour",
    type=click.Choice([_END, *(each.value for each in Behaviour)]),
    metavar="WORD",
    help="What every call meets: down, denied, hang, slow or another word of docs/sandbox.md; "
    f"{_END}: what its recipient is reserved for.",
)
@click.option("--latency", type=Duration(), help="Wait before each answer, such as 50ms.")
@click.option(
    "--rate",
    type=_Rate(),
    metavar=f"N|{_END}",
    help="Calls taken in each second; the others get 429.",
)
def switch(
    *,
    url: str | None,
    vendor: str | None,
    account: str | None,
    behaviour: str | None,
    latency: float | None,
    rate: int | str | None,
) -> None:
    """Change what calls to a running sandbox meet; without an option, show it.

    Applies to all vendors and accounts unless one is named.

    \b
    Example:
      notify sandbox switch --account second --behaviour down
      notify sandbox switch --account second --behaviour none --rate 50
    """
    url = url or _running() or _ALONE
    if not url.startswith(("http://", "https://")):
        raise click.UsageError("--url begins with http://, such as http://127.0.0.1:8025")
    if vendor and account:
        raise click.UsageError("name a vendor or an account, not both")
    said = {"behaviour": behaviour, "latency": latency, "rate": rate}
    changes = {
        name: None if value == _END else value for name, value in said.items() if value is not None
    }
    if (vendor or account) and not changes:
        raise click.UsageError("say what to change: --behaviour, --latency or --rate")
    whose = {"vendor": vendor, "account": account}
    wanted = {name: value for name, value in whose.items() if value} | changes
    _show(_ask(url, wanted))


def _running() -> str | None:
    """Return where the sandbox of the stack listens whose configuration is in force."""
    config = os.environ.get("NOTIFY_CONFIG")
    told = Path(config).with_name(ENDPOINTS) if config else None
    if told is None or not told.is_file():
        return None
    try:
        return str(json.loads(told.read_bytes())["sandbox"])
    except (OSError, ValueError, LookupError, TypeError):
        raise ConfigError(
            f"{told} does not say where a sandbox listens; name it by --url"
        ) from None


def _ask(url: str, wanted: dict[str, Any]) -> dict[str, dict[str, Any]]:
    method, body = ("PUT", {"json": wanted}) if wanted else ("GET", {})
    try:
        with urllib3.PoolManager(retries=False, timeout=_TIMEOUT) as http:
            answer = http.request(method, f"{url.rstrip('/')}/api/behaviour", **body)
            told = answer.json()
    except (urllib3.exceptions.HTTPError, ValueError):
        told, answer = None, None
    if answer is None or not isinstance(told, dict):
        raise ConfigError(
            f"no sandbox answers at {url}; start one with `notify sandbox`, or name one by --url"
        )
    if answer.status != 200:
        raise ConfigError(f"the sandbox refused it: {told.get('error', f'HTTP {answer.status}')}")
    return told


def _show(settings: dict[str, dict[str, Any]]) -> None:
    rows = [
        (
            name,
            setting["behaviour"] or "as the recipient says",
            f"{setting['latency'] * 1000:g}ms",
            "any rate" if setting["rate"] is None else f"{setting['rate']} calls a second",
        )
        for name, setting in settings.items()
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        told = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        click.echo(told.rstrip())
