"""`notify sandbox switch`: outages, latencies and limits of a running sandbox."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click
import urllib3

from notify.errors import ConfigError
from notify.sandbox import Behaviour, ReceiptFault, Vendor
from notify.sandbox.switch import MAX_RATE, seconds
from notify.stack import ENDPOINTS

_END = "none"
_ALONE = "http://127.0.0.1:8025"
_TIMEOUT = 10.0


class Duration(click.ParamType[float]):
    """Parses a time such as `50ms` or `1.5s`."""

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
    help="The sandbox's address. Default: that of the `notify up` whose notify.toml is in "
    f"NOTIFY_CONFIG, else {_ALONE}.",
)
@click.option(
    "--vendor",
    type=click.Choice([each.value for each in Vendor]),
    help="Change calls to this vendor.",
)
@click.option(
    "--account",
    metavar="NAME",
    help="Change calls of this account: the name in base_url after the sandbox's address.",
)
@click.option(
    "--behaviour",
    type=click.Choice([_END, *(each.value for each in Behaviour)]),
    metavar="WORD",
    help="How every call ends: down, denied, hang, slow or another word of docs/sandbox.md; "
    f"{_END}: as its recipient says.",
)
@click.option("--latency", type=Duration(), help="Wait before each answer, such as 50ms.")
@click.option(
    "--rate",
    type=_Rate(),
    metavar=f"N|{_END}",
    help="Calls accepted a second; the others get 429.",
)
@click.option(
    "--receipts",
    type=click.Choice([_END, *(each.value for each in ReceiptFault)]),
    help=f"How later events are posted; {_END}: as usual.",
)
@click.option(
    "--receipt-delay", type=Duration(), help="Post later events late by this much, such as 5s."
)
def switch(
    *,
    url: str | None,
    vendor: str | None,
    account: str | None,
    behaviour: str | None,
    latency: float | None,
    rate: int | str | None,
    receipts: str | None,
    receipt_delay: float | None,
) -> None:
    """Change how a running sandbox answers and posts events; without an option, show it.

    The change applies to all vendors and accounts unless one is named.

    \b
    Example:
      notify sandbox switch --account second --behaviour down
      notify sandbox switch --account second --behaviour none --rate 50
      notify sandbox switch --vendor sendgrid --receipts repeated --receipt-delay 5s
    """
    url = url or _running() or _ALONE
    if not url.startswith(("http://", "https://")):
        raise click.UsageError("--url begins with http://, such as http://127.0.0.1:8025")
    if vendor and account:
        raise click.UsageError("name a vendor or an account, not both")
    options = {
        "behaviour": behaviour,
        "latency": latency,
        "rate": rate,
        "receipts": receipts,
        "receipt_delay": receipt_delay,
    }
    changes = {
        name: None if value == _END else value
        for name, value in options.items()
        if value is not None
    }
    if (vendor or account) and not changes:
        raise click.UsageError("name what to change, such as --behaviour or --latency")
    target = {"vendor": vendor, "account": account}
    wanted = {name: value for name, value in target.items() if value} | changes
    _print(_request(url, wanted))


def _running() -> str | None:
    """Return the address of the sandbox that belongs to the configured stack, if there is one."""
    config = os.environ.get("NOTIFY_CONFIG")
    endpoints = Path(config).with_name(ENDPOINTS) if config else None
    if endpoints is None or not endpoints.is_file():
        return None
    try:
        return str(json.loads(endpoints.read_bytes())["sandbox"])
    except (OSError, ValueError, LookupError, TypeError):
        raise ConfigError(
            f"{endpoints} does not name a sandbox's address; name it by --url"
        ) from None


def _request(url: str, wanted: dict[str, Any]) -> dict[str, dict[str, Any]]:
    method, body = ("PUT", {"json": wanted}) if wanted else ("GET", {})
    try:
        with urllib3.PoolManager(retries=False, timeout=_TIMEOUT) as http:
            answer = http.request(method, f"{url.rstrip('/')}/api/behaviour", **body)
            content = answer.json()
    except (urllib3.exceptions.HTTPError, ValueError):
        content, answer = None, None
    if answer is None or not isinstance(content, dict):
        raise ConfigError(
            f"no sandbox answers at {url}; start one with `notify sandbox`, or name one by --url"
        )
    if answer.status != 200:
        raise ConfigError(
            f"the sandbox refused it: {content.get('error', f'HTTP {answer.status}')}"
        )
    return content


def _print(settings: dict[str, dict[str, Any]]) -> None:
    rows = [
        (
            name,
            setting["behaviour"] or "as the recipient says",
            f"{setting['latency'] * 1000:g}ms",
            "any rate" if setting["rate"] is None else f"{setting['rate']} calls a second",
            f"receipts {setting['receipts']}" if setting["receipts"] else "",
            f"receipts {setting['receipt_delay']:g}s late" if setting["receipt_delay"] else "",
        )
        for name, setting in settings.items()
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        line = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        click.echo(line.rstrip())
