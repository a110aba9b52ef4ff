"""The tables of `make bench`, and the ratios on its last line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks import bulk, latency, suppression
from benchmarks.api import ApiResults, api_rates
from benchmarks.fleet import IdleFleet
from benchmarks.providers import Cost, provider_costs
from benchmarks.receipts import ReceiptRates
from benchmarks.throughput import Run

ROLES = ("worker", "PostgreSQL", "RabbitMQ", "nginx")


@dataclass(frozen=True, slots=True)
class Results:
    """All that one run measured; rates are medians of its rounds."""

    messages: int
    rounds: int
    publish: tuple[float, float]
    """Messages a second, one by one and through notify.publisher."""
    rss: float
    lone: Mapping[str, tuple[float, float]]
    runs: Mapping[str, Run]
    bulk: Mapping[str, Run]
    fleets: Sequence[IdleFleet]
    receipts: Sequence[ReceiptRates]
    api: ApiResults
    suppression: suppression.SuppressionCost
    providers: Sequence[Cost]

    @property
    def plain(self) -> Run:
        """The fastest plain Celery."""
        found = [run for name, run in self.runs.items() if name.startswith("celery")]
        return max(found, key=lambda run: run.rate)

    def print(self) -> None:
        """Print the tables and the ratios."""
        self._print_runs()
        print(f"\nMessages to {bulk.RECIPIENTS:,} recipients, per recipient:\n")
        self._print_rates({"celery, one task each": self.plain, **self.bulk})
        print(
            f"\nA lone message on an idle stack, publish to provider, {latency.MESSAGES} times:\n"
        )
        rows = [
            [name, f"{p50 * 1e3:.1f}", f"{p99 * 1e3:.1f}"] for name, (p50, p99) in self.lone.items()
        ]
        print(table(["contender", "p50 ms", "p99 ms"], rows))
        print("\nPublishing to the same quorum queue, confirmed:\n")
        names = ("one by one", "notify.publisher")
        print(table(["publisher", "a second"], _counts(names, self.publish)))
        self._print_fleets()
        self._print_receipts()
        print("\nNotifications by HTTP, beside a bare endpoint with the same publisher:\n")
        print("\n".join(api_rates(self.api)))
        self._print_suppression()
        print("\nEach provider, a message in a call, by the CPU time of the sending process:\n")
        print(provider_costs(self.providers))
        print(f"\n{self.ratios()}")

    def ratios(self) -> str:
        """Return the last line."""
        plain = self.plain.rate
        same, own = (self.bulk[name].rate / plain for name in ("the same words", "own words"))
        return (
            f"notify/celery={self.runs['notify PostgreSQL'].rate / plain:.2f}"
            f" sqlite/celery={self.runs['notify SQLite'].rate / plain:.2f}"
            f" bulk_same/celery={same:.1f} bulk_own/celery={own:.1f}"
            f" publisher/sync={self.publish[1] / self.publish[0]:.1f} rss_mb={self.rss:.0f}"
            f" idle20_tps={self.fleets[-1].transactions:.0f}"
            f" receipts/bare={self.receipts[0].ratio:.2f}"
            f" api/bare={self.api.rates[0].ratio:.2f} api100/bare={self.api.rates[1].ratio:.2f}"
            f" receipts_s={self.receipts[-1].notify:.0f} suppression={self.suppression.ratio:.3f}"
        )

    def _print_runs(self) -> None:
        print(f"\nBacklog of {self.messages:,} emails, median of {self.rounds}:\n")
        self._print_rates(self.runs)
        core_minutes = sum(self.runs["notify PostgreSQL"].cpu.values()) * 1_000_000 / 1e3 / 60
        print(f"\nA million notifications through PostgreSQL take {core_minutes:.0f} core-minutes.")

    def _print_rates(self, runs: Mapping[str, Run]) -> None:
        head = ["contender", "a second", "ratio to the best plain Celery", "CPU ms each", *ROLES]
        rows = [
            [
                name,
                f"{run.rate:,.0f}",
                f"{run.rate / self.plain.rate:.2f}",
                f"{sum(run.cpu.values()):.3f}",
                *(f"{run.cpu.get(role, 0.0):.3f}" for role in ROLES),
            ]
            for name, run in runs.items()
        ]
        print(table(head, rows))

    def _print_fleets(self) -> None:
        print("\nIdle workers (PostgreSQL), over 20 s; CPU as percent of one core:\n")
        roles = ROLES[:3]
        rows = [
            [
                str(each.workers),
                f"{each.transactions:.0f}",
                str(each.connections),
                *(f"{each.cpu[role]:.1f}" for role in roles),
            ]
            for each in self.fleets
        ]
        print(table(["workers", "transactions a second", "connections", *roles], rows))

    def _print_receipts(self) -> None:
        print("\nA vendor's events, from its POST to the status on record (PostgreSQL):\n")
        rows = [
            [str(each.batch), f"{each.bare:,.0f}", f"{each.notify:,.0f}", f"{each.ratio:.2f}"]
            for each in self.receipts
        ]
        head = ["events a request", "bare endpoint a second", "notify a second", "ratio"]
        print(table(head, rows))

    def _print_suppression(self) -> None:
        cost = self.suppression
        print(f"\nThe suppression list with {suppression.ENTRIES:,} entries (PostgreSQL):\n")
        rows = [
            ["without the check", f"{cost.without:,.0f}", f"{cost.claim_without * 1e3:.2f}"],
            ["with it", f"{cost.checked:,.0f}", f"{cost.claim_checked * 1e3:.2f}"],
        ]
        print(table(["deliveries", "a second", f"ms for a claim of {suppression.BATCH}"], rows))


def _counts(names: Sequence[str], rates: Sequence[float]) -> list[list[str]]:
    return [[name, f"{rate:,.0f}"] for name, rate in zip(names, rates, strict=True)]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] + ["--:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
