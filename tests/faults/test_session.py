"""A session of drills: what cannot be played is reported, and the others are played."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from notify.errors import ConfigError, StoreError
from tests.faults import __main__ as command
from tests.faults import fleet, session
from tests.faults.checker import Findings
from tests.faults.drills import DRILLS, Drill
from tests.faults.fleet import Fleet
from tests.faults.receipts.drills import RECEIPT_DRILLS
from tests.faults.receipts.report import MARKS
from tests.faults.receipts.run import ReceiptDrill, ReceiptResult
from tests.faults.report import BEGIN, END
from tests.faults.run import Result
from tests.faults.unplayed import Unplayable, reason

GOOD = Findings(2000, 0, 0, 0, 0, 0, 0, ())
NAMES = list(DRILLS)
CTL: list[str | Path] = [Path("/usr/lib/rabbitmq/sbin/rabbitmqctl"), "--quiet", "eval", "1."]


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page with a place for the table, which the command writes to."""
    page = tmp_path / "page.md"
    receipts = "\n".join(MARKS)
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n{receipts}\n")
    monkeypatch.setattr(command, "GUARANTEES", page)
    monkeypatch.setattr(sys, "argv", ["faults"])
    return page


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Services that need no machine; the folders for which they were started."""
    folders: list[Path] = []

    @contextmanager
    def services(folder: Path) -> Iterator[object]:
        folders.append(folder)
        yield object()

    monkeypatch.setattr(session, "services", services)
    return folders


def _slow() -> Exception:
    """Make the error of a program that takes too long."""
    return subprocess.TimeoutExpired(CTL, 60)


def _obstruct(monkeypatch: pytest.MonkeyPatch, obstacles: Mapping[str, BaseException]) -> None:
    """Make some drills break off, and the others succeed."""

    def play(drill: Drill, _: object, __: Path, *, within: float) -> Result:
        assert within > 0
        if drill.name in obstacles:
            raise obstacles[drill.name]
        return Result(drill, GOOD, 1.0, 40, ())

    def play_receipts(drill: ReceiptDrill, _: object, __: Path) -> ReceiptResult:
        if drill.name in obstacles:
            raise obstacles[drill.name]
        return ReceiptResult(drill, taken=4000, lost=0, twice=0, wrong=0, refused=3, took=40)

    monkeypatch.setattr(session, "run", play)
    monkeypatch.setattr(session, "run_receipts", play_receipts)


@pytest.mark.usefixtures("started")
def test_a_drill_that_cannot_be_played_is_a_row_and_the_others_go_on(
    page: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever was in the way: the table is whole, and the exit code says that one is missing."""
    obstacles = {
        NAMES[0]: TimeoutError("email-1 did not start within 60 s: one line |\n another"),
        NAMES[3]: _slow(),
        NAMES[4]: ConfigError("rabbitmqctl eval took longer than 60 s"),
        NAMES[5]: StoreError("PostgreSQL is away"),
        NAMES[6]: Unplayable("a network of namespaces needs root"),
        NAMES[7]: pytest.skip.Exception("PostgreSQL is not installed"),
        NAMES[8]: ValueError("rabbitmqctl printed no number"),
    }
    _obstruct(monkeypatch, obstacles)
    assert command.main() == 1
    out = capsys.readouterr().out
    assert out.count("not played: ") == 2 * len(obstacles)
    assert f"faults={len(NAMES)} lost=0" in out
    assert f"not_played={len(obstacles)} receipts=16000 " in out.splitlines()[-1]
    text = page.read_text()
    own, _, receipts = text.partition(END)
    assert receipts.count("| 4,000 | 0 | 0 | 0 | 3 |") == 4
    rows = [line for line in own.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == len(NAMES)
    assert {row.count("|") for row in rows} == {9}
    assert f"| {NAMES[6]} | not played: a network of namespaces needs root | |" in text
    assert "60 s: one line / another" in text
    assert f"| {NAMES[1]} | 2,000 | 0 |" in text


def test_services_are_replaced_after_a_drill_that_broke_off(
    started: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have left the broker killed, or its alarm set; one that was played leaves it well."""
    _obstruct(monkeypatch, {NAMES[1]: ConfigError("RabbitMQ did not start in time")})
    with session.Session(tmp_path, within=15) as drills:
        results = [drills.play(DRILLS[name]) for name in NAMES[:4]]
    assert [result.good for result in results] == [True, False, True, True]
    assert len(started) == 2
    assert "ConfigError" in (tmp_path / "02" / "not-played.txt").read_text()


def test_services_that_do_not_start_are_tried_again_with_the_next_drill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that was too slow a minute ago may be quick enough now."""
    tries: list[Path] = []

    @contextmanager
    def services(folder: Path) -> Iterator[object]:
        tries.append(folder)
        if len(tries) == 1:
            raise ConfigError("RabbitMQ did not start in time")
        yield object()

    monkeypatch.setattr(session, "services", services)
    _obstruct(monkeypatch, {})
    with session.Session(tmp_path, within=15) as drills:
        first, second = (drills.play(DRILLS[name]) for name in NAMES[:2])
    assert first.obstacle == "RabbitMQ did not start in time"
    assert second.good


@pytest.mark.usefixtures("started")
def test_a_session_without_obstacles_exits_with_0(
    page: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And its last line has the form that others read."""
    _obstruct(monkeypatch, {})
    assert command.main() == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.endswith(
        "allowed=0 receipts=16000 receipts_lost=0 receipts_twice=0 receipts_wrong=0"
    )
    assert "not played" not in page.read_text()


@pytest.mark.usefixtures("started", "page")
def test_a_receipts_drill_that_cannot_be_played_fails_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It proves nothing, so it is not good."""
    name = next(iter(RECEIPT_DRILLS))
    _obstruct(monkeypatch, {name: TimeoutError("web-1 did not start")})
    assert command.main() == 1
    assert "(web-1 did not start)" in capsys.readouterr().out


def test_a_worker_that_starts_slowly_is_an_obstacle_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine may be the cause, so it is not a broken promise; a worker that exits is one."""
    config = tmp_path / "notify.toml"
    config.write_text("")
    workers = Fleet(tmp_path, config, lease=1.0)
    monkeypatch.setattr(fleet, "READY_WITHIN", 0.0)
    workers.start("email-1")
    try:
        with pytest.raises(TimeoutError, match="email-1 did not start within 0 s"):
            workers.ready("email-1")
    finally:
        workers.end()


def test_a_reason_is_one_line_and_names_no_folder() -> None:
    """It is a cell of a table that is published."""
    assert reason(_slow()) == ("took longer than 60 s: rabbitmqctl --quiet eval 1.")
    assert reason(subprocess.TimeoutExpired("worker", 5)) == "took longer than 5 s: worker"
    assert len(reason(OSError("word " * 100))) < 170
    assert reason(ConfigError("RabbitMQ did not start in time; see the logs in /x/y")) == (
        "RabbitMQ did not start in time"
    )
    assert reason(ConnectionResetError()) == "ConnectionResetError"
