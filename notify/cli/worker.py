"""`notify worker`: deliver what waits in one pool's queues, or archive dead letters."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import click

from notify.settings import DEAD_POOL, Settings, load
from notify.telemetry import logs


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

    POOL is a name under [pools] in the configuration, such as email, sms or push. A number behind
    it, as in email-2, makes a name for one more process of the same pool.

    SIGTERM and Ctrl-C stop it: it takes no more, finishes what it has in hand, and exits with 0.
    SIGHUP has it read templates, limits and the log level anew while it works on.

    The pool named dead is always there: it archives what lies in the dead queue, for `notify dead`.

    \b
    Examples:
      notify worker email
      notify worker email-2
      notify worker dead
    """
    settings = load()
    threshold = logs.configure(level=settings.log.level, format=settings.log.format)
    served, number = _seat(pool, settings)
    wanted = None if served == DEAD_POOL else settings.pool(served)
    # Celery takes a while to import, and only this command needs it.
    from notify.worker.process import run
    from notify.worker.roles import dead_letters, deliveries

    role = partial(deliveries, name=name or pool, pool=wanted) if wanted else dead_letters

    def ready() -> None:
        if ready_file is not None:
            ready_file.write_text("ready\n", encoding="utf-8")

    sys.exit(
        run(
            settings,
            name or pool,
            pool=served,
            number=number,
            role=role,
            threshold=threshold,
            ready=ready,
        )
    )


def _seat(name: str, settings: Settings) -> tuple[str, int]:
    """Find which pool a name means, its own or the one with a number behind it, and the number."""
    pools = {*settings.pools, DEAD_POOL}
    pool, _, number = name.rpartition("-")
    numbered = name not in pools and number.isdecimal() and pool in pools
    return (pool, max(1, int(number))) if numbered else (name, 1)
