"""`notify worker`: deliver what waits in one pool's queues."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from notify import logs
from notify.settings import load


@click.command()
@click.argument("pool")
@click.option("--name", help="This worker's name in logs, unique on the machine [default: POOL].")
@click.option(
    "--ready-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write this file once consumption has begun.",
)
def worker(pool: str, name: str | None, ready_file: Path | None) -> None:
    """Deliver what waits in the queues of POOL, in the foreground.

    POOL is a name under [pools] in the configuration, such as email, sms or push. SIGTERM and
    Ctrl-C stop it: it takes no more, finishes what it has in hand, and exits with 0.

    \b
    Example:
      notify worker email
    """
    settings = load()
    logs.configure(level=settings.log.level, format=settings.log.format)
    wanted = settings.pool(pool)
    # Celery takes a while to import, and only this command needs it.
    from notify.worker import run

    def ready() -> None:
        if ready_file is not None:
            ready_file.write_text("ready\n", encoding="utf-8")

    sys.exit(run(settings, name or pool, pool=wanted, ready=ready))
