"""All scenes, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.flow import burst, cost, isolation, kill_switch, outage, precision, trouble
from benchmarks.flow.config import FIRST, PUSH, SECOND, SMS, Terms
from benchmarks.flow.figures import Figure
from benchmarks.flow.stage import Stage

TWO = Terms(providers=(FIRST, SECOND))


@dataclass(frozen=True, slots=True)
class Scene:
    """One scene."""

    name: str
    play: Callable[[Stage], Sequence[Figure]]
    terms: Terms
    quick: bool = False
    """Whether it is one of the short set."""


def _precise(on_sqlite: bool) -> list[Scene]:
    store = "SQLite" if on_sqlite else "PostgreSQL"
    email = [
        Scene(
            f"limit {rate:g}/s, {store}",
            precision.email(rate),
            precision.terms(FIRST, rate, on_sqlite=on_sqlite),
            quick=(rate < 100) is not on_sqlite,
        )
        for rate in (50.0, 500.0)
    ]
    sms = Scene(
        f"limit 150 segments/s, {store}",
        precision.sms(150.0),
        precision.terms(SMS, 150.0, on_sqlite=on_sqlite),
    )
    return [*email, sms]


_ALL = (
    *_precise(on_sqlite=False),
    *_precise(on_sqlite=True),
    Scene("limit 50/s, Celery's rate_limit", precision.celery, Terms()),
    Scene("cost of an unreachable limit", cost.play, Terms(), quick=True),
    Scene("dead provider, a second one", outage.dead, TWO, quick=True),
    Scene("dead provider, no other", outage.alone, Terms()),
    Scene("flapping provider", outage.flapping, TWO),
    Scene("429 storm", trouble.storm, Terms(rates={FIRST: 2.0 * trouble.LOWER})),
    Scene(
        "slow provider",
        trouble.slow,
        Terms(providers=(FIRST, SECOND), breaker={"slow_call": trouble.SLOW_CALL}),
    ),
    Scene("bad key", trouble.bad_key, TWO),
    Scene(
        "isolation from bulk",
        isolation.play,
        Terms(providers=(FIRST, PUSH), rates={FIRST: isolation.BULK_RATE}),
        quick=True,
    ),
    Scene("burst of receipts", burst.play, Terms()),
    Scene("kill switch", kill_switch.play, Terms(), quick=True),
)
SCENES: Mapping[str, Scene] = {scene.name: scene for scene in _ALL}
