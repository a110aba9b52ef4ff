"""The output of the drills."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.checker import Findings
from tests.faults.drills import DRILLS, QUICK
from tests.faults.report import BEGIN, END, last_line, line, write
from tests.faults.run import Result

GOOD = Findings(2000, 0, 0, 0, 7, 31, 4, ())
BAD = Findings(1000, 1, 2, 3, 4, 0, 0, ("x was confirmed and is lost",))


@pytest.fixture
def results() -> list[Result]:
    """A drill that went well and one that did not."""
    first, second = list(DRILLS.values())[:2]
    return [Result(first, GOOD, 2.26, 40, ()), Result(second, BAD, None, 40, BAD.violations)]


def test_the_last_line_sums_up(results: list[Result]) -> None:
    """Its form is fixed: others read it."""
    assert last_line(results[:1]) == (
        "faults=1 lost=0 double_terminal=0 duplicates_park=0 duplicates_resend=7 allowed=31"
    )
    assert last_line(results) == (
        "faults=2 lost=1 double_terminal=2 duplicates_park=3 duplicates_resend=11 allowed=31"
    )


def test_a_line_tells_whether_a_promise_was_broken(results: list[Result]) -> None:
    """At its beginning, so that the eye finds it."""
    assert [line(result).split()[0] for result in results] == ["ok", "FAIL"]


def test_the_page_keeps_what_is_around_the_table(results: list[Result], tmp_path: Path) -> None:
    """Written twice, it holds one table."""
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    for _ in range(2):
        write(page, results)
    text = page.read_text()
    assert text.startswith(f"before\n{BEGIN}\n| fault |")
    assert text.endswith(f"\n{END}\nafter\n")
    assert "old" not in text
    assert text.count("| 2,000 | 0 | 0 | 0 | 7 (31) | 4 | 2.3 s |") == 1


def test_the_faults_that_were_asked_for_are_drilled() -> None:
    """Twenty-four or more, a short set among them."""
    assert len(DRILLS) >= 24
    assert 5 <= len(QUICK) <= 8
    # With large requests a message is one of up to 1,000 in a call.
    enough = {1: 2000, 1000: 600}
    terms = [drill.terms for drill in DRILLS.values()]
    assert all(each.minimum >= enough[each.batch_size] for each in terms)
