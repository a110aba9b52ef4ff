"""How all commands write times, spans and JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from notify.cli.output import print_json, report_omitted, span, until, utc
from tests.support.tables import each_of

NINE = datetime(2025, 1, 31, 9, 0, 1, 234567, tzinfo=UTC)


@each_of(
    ("seconds", "words"),
    [
        (-1, "0.0 s"),
        (0.34, "0.3 s"),
        (42, "42 s"),
        (75, "1 min"),
        (3540, "59 min"),
        (5400, "1.5 h"),
        (86_400, "24.0 h"),
        (4 * 86_400, "4 d"),
    ],
)
def test_a_span_has_one_unit(seconds: float, words: str) -> None:
    """The same in every table and sentence."""
    assert span(seconds) == words


@pytest.mark.parametrize(
    ("timespec", "words"),
    [
        ("minutes", "2025-01-31 09:00"),
        ("seconds", "2025-01-31 09:00:01"),
        ("milliseconds", "2025-01-31 09:00:01.234"),
    ],
)
def test_a_time_is_in_utc(timespec: str, words: str) -> None:
    """From another zone, and from seconds since 1970 too."""
    elsewhere = NINE.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert utc(elsewhere, timespec=timespec) == utc(NINE.timestamp(), timespec=timespec) == words


def test_an_override_without_end_names_what_ends_it() -> None:
    """Otherwise its end, in UTC."""
    assert until(None, otherwise="it is released") == "until it is released"
    assert until(NINE.timestamp(), otherwise="it is released") == "until 2025-01-31 09:00 UTC"


def test_json_has_iso_times_and_text_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """On one line, with ids as text."""
    id_ = UUID("0b0e6a52-8f0e-4c52-9c2e-0f5b6b1f7a10")
    print_json({"at": NINE, "id": id_, "reason": "ä"})
    (line,) = capsys.readouterr().out.splitlines()
    assert "ä" in line
    assert json.loads(line) == {"at": NINE.isoformat(), "id": str(id_), "reason": "ä"}


def test_omitted_rows_are_reported_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """A program that reads the output gets rows only."""
    report_omitted(2, limit=2)
    assert capsys.readouterr() == ("", "")
    report_omitted(3, limit=2)
    assert capsys.readouterr() == ("", "only the newest 2 are listed; --limit raises that\n")
