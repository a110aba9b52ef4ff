"""
The cost of the suppression list: deliveries without its check, and with 1,000,000 entries.

Both run in turn on one broker, one server and one provider, each with a database of its own. Run it
alone with `python -m benchmarks.suppression`; `make bench` includes it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from unittest import mock

from sqlalchemy import create_engine, text

from benchmarks.load import request
from benchmarks.stage import Nginx
from benchmarks.throughput import Bench, notify
from benchmarks.unchecked_worker import unchecked
from notify.store import Entry, Store
from notify.store.delivery import postgresql
from tests.support.recording import asked, call_for
from tests.support.services import PostgreSQL

ENTRIES = 1_000_000
BATCH = 64
"""Notifications of a claim, in the measurement of the statement alone."""

_FILL = """
INSERT INTO suppressions
    (channel, recipient_hash, scope, reason, binding, evidence, since, until, vendor_lift)
SELECT 'email', decode(md5(number::text), 'hex'), 'all', 'bounce', false, 'bench', now(),
    now() + interval '90 days', false
FROM generate_series(1, :entries) AS number
"""


@dataclass(frozen=True, slots=True)
class SuppressionCost:
    """
    Medians of both sides.

    Attributes:
        without: Deliveries a second without the check.
        checked: Deliveries a second with the check and the entries.
        claim_without: Seconds of one claim of `BATCH` new notifications.
        claim_checked: The same with the check and the entries.
    """

    without: float
    checked: float
    claim_without: float
    claim_checked: float

    @property
    def ratio(self) -> float:
        """The part of the rate that is left with the check."""
        return self.checked / self.without


def fill(url: str, entries: int) -> None:
    """Add entries of recipients that no message has, as most entries are."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(_FILL), {"entries": entries})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE suppressions"))
    engine.dispose()


def compare(
    amqp: str,
    folder: Path,
    databases: tuple[str, str],
    config: Callable[[str, str, str], Path],
    *,
    messages: int,
    rounds: int,
) -> SuppressionCost:
    """
    Fill the second database, and deliver the same backlog with each in turn.

    Args:
        databases: Two migrated databases on one server.
        config: Writes a configuration, by name, database and provider.
    """
    fill(databases[1], ENTRIES)
    provider = Nginx(folder)
    bench = Bench(amqp, provider, folder)
    rates: dict[str, list[float]] = {"without": [], "checked": []}
    try:
        checked = notify("checked", config=config("checked", databases[1], provider.url))
        plain = notify("unchecked", config=config("unchecked", databases[0], provider.url))
        unchecked = replace(plain, commands=[_unchecked(each) for each in plain.commands])
        for number in range(rounds):
            # In turn first and second, so that neither profits from a warm server.
            pair = [("without", unchecked), ("checked", checked)]
            for side, contender in pair if number % 2 == 0 else reversed(pair):
                rates[side].append(bench.run(contender, messages=messages).rate)
                print(f"round {number + 1}  {side:10} {rates[side][-1]:7.0f}/s", flush=True)
    finally:
        provider.stop()
    claims = claim_seconds(databases[1])
    return SuppressionCost(median(rates["without"]), median(rates["checked"]), *claims)


def _unchecked(command: Sequence[str]) -> list[str]:
    python, _, _, *arguments = command
    return [python, "-m", "benchmarks.unchecked_worker", *arguments]


def claim_seconds(url: str, *, claims: int = 300) -> tuple[float, float]:
    """Return the median seconds of a claim of new notifications, without and with the check."""
    store = Store.open(url)
    statements = {False: unchecked(), True: postgresql._CLAIM}
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for number in range(claims):
        # In turn first and second, so that neither profits from a warm server.
        for checks in (number % 2 == 0, number % 2 == 1):
            entries = [_entry(each) for each in range(BATCH)]
            with mock.patch.object(postgresql, "_CLAIM", statements[checks]):
                begun = time.perf_counter()
                store.claim(entries, now=datetime.now(UTC), lease=timedelta(minutes=1))
                seconds[checks].append(time.perf_counter() - begun)
    store.close()
    return median(seconds[False]), median(seconds[True])


def _entry(number: int) -> Entry:
    fields = request(number)
    body = fields["text"].encode()
    return call_for(asked(source="bench", lane="normal", to=fields["to"], body=body, template=None))


def main() -> None:
    """Measure the statement alone, on a PostgreSQL of its own."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.suppression", description=__doc__)
    parser.add_argument("--claims", type=int, default=300, help="of each side")
    chosen = parser.parse_args()
    server = PostgreSQL()
    server.start()
    try:
        with server.database() as url:
            Store.open(url).migrate()
            fill(url, ENTRIES)
            without, checked = claim_seconds(url, claims=chosen.claims)
    finally:
        server.stop()
    print(f"a claim of {BATCH}: {without * 1e3:.2f} ms without the check,", end=" ")
    print(f"{checked * 1e3:.2f} ms with it and {ENTRIES:,} entries")


if __name__ == "__main__":
    main()
