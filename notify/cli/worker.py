"""`notify worker`: deliver one pool's messages, archive dead letters, or apply receipts."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import click

from notify.cli.options.ready_file import ready_file_option
from notify.cli.starting import quick_imports
from notify.settings import DEAD_POOL, RECEIPTS_POOL, RESERVED_POOLS, Settings, load
from notify.telemetry import logs

if TYPE_CHECKING:
    from notify.store import Store
    from notify.telemetry.metrics import Metrics
    from notify.worker.role import WorkerRole

    Role = Callable[[Settings, Store, Metrics], WorkerRole]


@click.command()
@click.argument("pool")
@click.option("--name", help="This worker's name in logs, unique on the machine [default: POOL].")
@ready_file_option("consumption has begun")
def worker(pool: str, name: str | None, ready: Callable[[], None]) -> None:
    """Deliver the messages in the queues of POOL, in the foreground.

    POOL is a name under [pools] in the configuration, such as email, sms or push. A number after
    it, as in email-2, names another process of the same pool.

    SIGTERM and Ctrl-C stop it: it drains the messages in flight, and exits with 0. SIGHUP makes it
    reload templates, limits and the log level while it works.

    Two pools always exist: dead archives the messages of the dead queue, for `notify dead`;
    receipts applies what vendors and producers report about sent messages.

    \b
    Examples:
      notify worker email
      notify worker email-2
      notify worker dead
      notify worker receipts
    """
    settings = load()
    threshold = logs.configure(level=settings.log.level, format=settings.log.format)
    served, number = _pool_and_number(pool, settings)
    with quick_imports():
        role = _role(served, settings, name=name or pool)
        # Celery is slow to import, and only this command needs it.
        from notify.worker.process import run

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


def _pool_and_number(name: str, settings: Settings) -> tuple[str, int]:
    """Return the pool that a name means, with or without a number after it, and the number."""
    pools = {*settings.pools, *RESERVED_POOLS}
    pool, _, number = name.rpartition("-")
    numbered = name not in pools and number.isdecimal() and pool in pools
    return (pool, max(1, int(number))) if numbered else (name, 1)


def _role(pool: str, settings: Settings, *, name: str) -> Role:
    """Return the role of a pool's workers, importing the parts of no other role."""
    if pool == DEAD_POOL:
        from notify.worker.dead_letters import dead_letters

        return dead_letters
    if pool == RECEIPTS_POOL:
        from notify.worker.receipts import receipts

        return receipts
    wanted = settings.pool(pool)
    from notify.worker.deliveries import deliveries

    return partial(deliveries, name=name, pool=wanted)
