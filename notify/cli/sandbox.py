"""`notify sandbox`: a server that imitates the vendors."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import click

from notify.cli.sandbox_switch import Duration, switch
from notify.errors import ConfigError
from notify.sandbox import ReceiptOptions, Sandbox


@click.group(invoke_without_command=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8025,
    show_default=True,
    help="Port to listen on; 0 for a free one.",
)
@click.option(
    "--allow-host",
    "names",
    multiple=True,
    metavar="NAME",
    help="Also answer to this name, such as a container's. Requests to any name but these, "
    "--host, this machine's and the loopback's are refused.",
)
@click.option(
    "--latency",
    type=Duration(),
    default="0ms",
    show_default=True,
    help="Wait before each answer, such as 50ms or 1.5s.",
)
@click.option(
    "--ledger",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Append each request and its answer to this JSON Lines file.",
)
@click.option(
    "--receipts",
    metavar="URL",
    help="Post the later events of accepted messages to this address, such as "
    "http://127.0.0.1:8480/receipts. Default: none are posted.",
)
@click.option(
    "--signing-key",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Sign SendGrid's events with this private key; the file is created if it is missing. "
    "Default: a new key.",
)
@click.option(
    "--receipts-ledger",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Append each event that was posted, and its answer, to this JSON Lines file.",
)
@click.option(
    "--ready-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the address to this file once the server answers.",
)
@click.pass_context
def sandbox(
    ctx: click.Context,
    /,
    *,
    host: str,
    port: int,
    names: tuple[str, ...],
    latency: float,
    ledger: Path | None,
    receipts: str | None,
    signing_key: Path | None,
    receipts_ledger: Path | None,
    ready_file: Path | None,
) -> None:
    """Answer as SendGrid, Twilio, Vonage and FCM do, without sending anything.

    Reserved recipients show every way a vendor can fail: bounce@sandbox.test bounces,
    throttled@sandbox.test gets 429, lost@sandbox.test is accepted and the answer lost.
    docs/sandbox.md lists all. A web page shows the messages sent. With --receipts it signs and
    posts the later events of each message. `switch` makes a running sandbox fail, slow down, refuse
    calls above a rate, or post events twice, late, out of order or forged.

    \b
    Examples:
      notify sandbox --latency 50ms --ledger sandbox.jsonl
      notify sandbox --receipts http://127.0.0.1:8480/receipts --signing-key sandbox.pem
      notify sandbox switch --vendor sendgrid --behaviour down
    """
    if receipts is None and (signing_key or receipts_ledger):
        raise click.UsageError("--signing-key and --receipts-ledger need --receipts")
    if ctx.invoked_subcommand is None:
        running = Sandbox.start(
            host=host,
            port=port,
            names=names,
            latency=latency,
            ledger=ledger,
            receipts=ReceiptOptions(receipts, signing_key, receipts_ledger) if receipts else None,
        )
        _serve(running, ledger=ledger, ready_file=ready_file)


def _serve(running: Sandbox, *, ledger: Path | None, ready_file: Path | None) -> None:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with running:
        click.echo(_greeting(running, ledger))
        if ready_file:
            _write(ready_file, running.url)
        stop.wait()


sandbox.add_command(switch)


def _greeting(running: Sandbox, ledger: Path | None) -> str:
    url, poster = running.url, running.poster
    rows = [
        ("inbox", f"{url}/"),
        ("SendGrid", f"base_url  {url}"),
        ("Twilio", f"base_url  {url}"),
        ("FCM", f"base_url  {url}   token endpoint  {url}/token"),
        *([("ledger", str(ledger))] if ledger else []),
        *([("receipts", f"{poster.composer.root}/sendgrid and so on")] if poster else []),
        *([("key", f"{running.public_key}   verifies SendGrid's events")] if poster else []),
    ]
    lines = [f"  {name:<10}{value}" for name, value in rows]
    return "\n".join(["The sandbox is listening; Ctrl-C stops it.", "", *lines])


def _write(ready_file: Path, url: str) -> None:
    # Renamed into place, so that a process that waits for the file never reads half of it.
    partial = ready_file.with_name(f"{ready_file.name}.part")
    try:
        partial.write_text(f"{url}\n", encoding="utf-8")
        partial.replace(ready_file)
    except OSError as error:
        raise ConfigError(f"cannot write {ready_file}: {error.strerror}") from None
