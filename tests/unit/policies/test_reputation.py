"""When bounces and complaints warn, and when they hold."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from notify.policies.reputation import Level, Reports, ReputationRules
from tests.support.tables import each_of

RULES = ReputationRules()


def levels(reports: Reports, rules: ReputationRules = RULES) -> dict[str, Level]:
    """The level of each rate."""
    return {judged.kind: judged.level for judged in rules.judge(reports)}


@each_of(
    ("reports", "bounces", "complaints"),
    [
        (Reports(delivered=1000), Level.GOOD, Level.GOOD),
        (Reports(delivered=951, bounced=49), Level.GOOD, Level.GOOD),
        (Reports(delivered=950, bounced=50), Level.WARN, Level.GOOD),
        (Reports(delivered=901, bounced=99), Level.WARN, Level.GOOD),
        (Reports(delivered=900, bounced=100), Level.HOLD, Level.GOOD),
        (Reports(delivered=1000, complained=1), Level.GOOD, Level.WARN),
        (Reports(delivered=1000, complained=2), Level.GOOD, Level.WARN),
        (Reports(delivered=1000, complained=3), Level.GOOD, Level.HOLD),
        (Reports(bounced=1000), Level.HOLD, Level.GOOD),
    ],
)
def test_the_documented_thresholds(reports: Reports, bounces: Level, complaints: Level) -> None:
    """5 % and 10 % of bounces, 0.1 % and 0.3 % of complaints, each at its very edge."""
    assert levels(reports) == {"bounces": bounces, "complaints": complaints}


def test_a_small_number_is_not_judged() -> None:
    """Below 1,000 ended messages one bad address would look like a bad list."""
    assert not levels(Reports(delivered=1, bounced=998, complained=999))
    assert levels(Reports(delivered=1, bounced=999))


@given(st.integers(0, 5000), st.integers(0, 5000), st.integers(0, 5000), st.integers(1, 5000))
def test_one_more_bounce_or_complaint_is_never_better(
    delivered: int, bounced: int, complained: int, minimum: int
) -> None:
    """The level only rises while a delivered message turns into a bounced one."""
    rules = ReputationRules(minimum=minimum)
    before = levels(Reports(delivered + 1, bounced, complained), rules)
    after = levels(Reports(delivered, bounced + 1, complained), rules)
    worse = levels(Reports(delivered + 1, bounced, complained + 1), rules)
    assert before.keys() == after.keys() == worse.keys()
    for kind, level in before.items():
        assert after[kind] >= level or kind == "complaints"
        assert worse[kind] >= level
