"""The cost of a limit that never delays anything."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from benchmarks.flow.figures import Figure
from benchmarks.flow.stage import Stage
from benchmarks.stage import Nginx
from benchmarks.throughput import CONFIG, Bench, Contender, notify

MESSAGES = 6_000
PAIRS = 4
UNREACHABLE = 1_000_000


def play(stage: Stage) -> list[Figure]:
    """Measure two workers on the same backlog with and without a limit, alternately."""
    provider = Nginx(stage.folder)
    messages = int(stage.seconds(MESSAGES, MESSAGES * 2 / 3))
    pairs = int(stage.seconds(PAIRS, 2))
    bench = Bench(stage.url, provider, stage.folder)
    plain = _contender(stage, "without a limit", provider.url)
    limited = _contender(stage, "with a limit", provider.url, f"rate = {UNREACHABLE}\n")
    rates: dict[str, list[float]] = {plain.name: [], limited.name: []}
    try:
        for number in range(pairs):
            # Each comes first equally often, since the machine's speed changes.
            for each in (plain, limited) if number % 2 else (limited, plain):
                rates[each.name].append(bench.run(each, messages=messages).rate)
    finally:
        provider.stop()
    before, after = median(rates[plain.name]), median(rates[limited.name])
    ratios = [with_ / without for without, with_ in zip(*rates.values(), strict=True)]
    return [
        Figure("ratio", median(ratios), least=0.95),
        Figure("without a limit", before, "a second"),
        Figure("with an unreachable one", after, "a second"),
    ]


def _contender(stage: Stage, name: str, provider: str, limit: str = "") -> Contender:
    path: Path = stage.folder / f"{name.replace(' ', '-')}.toml"
    text = CONFIG.format(amqp=stage.url, store=stage.store_url, provider=provider)
    path.write_text(text + limit)
    return notify(name, config=path)
