"""How `make bench-flow` reads arrivals, and how it reports its results."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.flow.config import FIRST, PUSH, SECOND, SMS, Terms, config
from benchmarks.flow.figures import Figure, Result
from benchmarks.flow.measure import (
    Arrival,
    delays,
    excess,
    flows_from,
    most_in_one,
    p95,
    quiet_since,
    used,
)
from benchmarks.flow.report import BEGIN, END, last_line, line, section, table
from benchmarks.flow.scenes import SCENES
from notify.message import Channel
from notify.settings import load
from tests.faults.report import put

GOOD = Result("a", [Figure("used", 99.0, "%", least=97.0), Figure("lost", 0, most=0)], (), 10)
BAD = Result("b", [Figure("stopped after", math.inf, "s", most=5.0)], ("email-1 died",), 20)


@given(
    st.lists(st.integers(0, 5_000), min_size=1, max_size=40),
    st.sampled_from([1.0, 7.0, 50.0]),
    st.sampled_from([1.0, 3.0]),
)
def test_the_fullest_window_is_the_fullest_of_all(
    moments: list[int], rate: float, cost: float
) -> None:
    """The result equals that of trying every window."""
    times = sorted(moment / 1000 for moment in moments)
    tried = [
        cost * (last - first + 1) - rate * (times[last] - times[first])
        for first in range(len(times))
        for last in range(first, len(times))
    ]
    assert excess(times, rate=rate, burst=2.0, cost=cost) == pytest.approx(max(tried) - 2.0)


def test_a_kept_limit_has_no_excess_and_a_broken_one_has() -> None:
    """Eleven at once, where ten are allowed, are one too many."""
    even = [number / 10 for number in range(100)]
    assert excess(even, rate=10, burst=1) <= 1e-9
    assert excess([5.0] * 11, rate=10, burst=10) == pytest.approx(1.0)


def test_the_part_of_a_limit_counts_what_calls_cost() -> None:
    """Ten calls of three segments in a second use 30 of 60."""
    times = [number / 10 for number in range(100)]
    assert used(times, rate=60, begin=2.0, seconds=5.0, cost=3.0) == pytest.approx(0.5)


def test_calls_have_stopped_before_the_first_gap() -> None:
    """Probes after it do not count; without a gap they never stopped."""
    times = [0.0, 0.5, 1.0, 1.5, 6.0, 16.0]
    assert quiet_since(times, begin=0.2, end=20.0, gap=2.0) == 1.5
    assert quiet_since([0.1, 0.6, 1.1], begin=0.0, end=5.0, gap=2.0) == 1.1
    assert math.isinf(quiet_since([0.1, 0.6, 1.1], begin=0.0, end=2.0, gap=2.0))


def test_a_stream_flows_again_from_its_first_full_window() -> None:
    """Three probes before it are not a stream."""
    times = [1.0, 1.1, 1.2, *(10.0 + number / 100 for number in range(400))]
    assert flows_from(times, begin=0.0, rate=100) == 10.0
    assert math.isinf(flows_from(times, begin=13.0, rate=100))


def test_a_call_in_an_open_span_counts_as_one_too_many() -> None:
    """One that follows it is the probe."""
    spans = [(0.0, 5.0), (5.5, 15.0)]
    assert most_in_one([5.2, 15.1], spans=spans) == 1
    assert most_in_one([5.2, 5.3, 15.1], spans=spans) == 2
    assert most_in_one([5.2, 9.0], spans=spans) == 2
    assert most_in_one([], spans=spans) == 0


def test_a_message_is_timed_by_its_first_arrival() -> None:
    """Others' arrivals count for nothing, and those that never came are missing."""
    arrivals = [
        Arrival(at, FIRST, True, "202", id_) for at, id_ in [(2, "a"), (1.5, "a"), (3, "x")]
    ]
    assert delays({"a": 1.0, "b": 1.0}, arrivals) == [0.5]


def test_the_95th_percentile_of_next_to_nothing_is_never_good() -> None:
    """A scene without messages must not count as fast."""
    assert math.isinf(p95([0.1]))
    assert p95([float(number) for number in range(1, 101)]) == pytest.approx(95.05)


def test_figures_are_held_against_their_bounds() -> None:
    """And are formatted for people."""
    assert [figure.good for figure in [*GOOD.figures, *BAD.figures]] == [True, True, False]
    assert Figure("bulk", 123_456).measured == "123,456"
    assert Figure("p95", 12.345, "ms", most=20).measured == "12.3 ms"
    assert Figure("rate", 200, least=194.0, most=206.0).target == "<= 206, >= 194"


def test_lines_tell_which_target_was_missed() -> None:
    """The last line's form is fixed: others read it."""
    assert line(GOOD).startswith("ok ")
    assert line(BAD).startswith("FAIL")
    assert "stopped_after=never (<= 5 s) !" in line(BAD)
    assert last_line([GOOD, BAD]) == "flow: scenes=2 failed=1 figures=3 missed=1"


def test_the_page_keeps_what_is_around_the_table(tmp_path: Path) -> None:
    """Written twice, it holds one table."""
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    for _ in range(2):
        put(page, section([GOOD, BAD]), between=(BEGIN, END))
    text = page.read_text()
    assert text.startswith(f"before\n{BEGIN}\n| scene |")
    assert text.endswith(f"\n{END}\nafter\n")
    assert text.count(table([GOOD, BAD])) == 1
    assert "| | what went wrong" not in table([GOOD])


def test_the_configuration_of_every_scene_is_one_that_notify_takes(tmp_path: Path) -> None:
    """A scene with an unknown option would show nothing."""
    secrets = dict.fromkeys(
        [
            "SENDGRID_API_KEY",
            "TWILIO_ACCOUNT_SID",
            "TWILIO_AUTH_TOKEN",
            "FCM_SERVICE_ACCOUNT",
        ],
        "x",
    )
    for scene in [*(each.terms for each in SCENES.values()), Terms((FIRST, SECOND, SMS, PUSH))]:
        path = tmp_path / "notify.toml"
        text = config(
            scene,
            broker="pyamqp://x",
            store="sqlite:////x",
            sandboxes=dict.fromkeys(Channel, "http://127.0.0.1:1"),
        )
        path.write_text(text)
        settings = load(path, environ=secrets)
        assert list(settings.providers) == list(scene.providers)


def test_the_short_set_is_a_part_of_all() -> None:
    """Both contain the required scenes."""
    assert len(SCENES) >= 12
    assert 5 <= sum(scene.quick for scene in SCENES.values()) <= 8
