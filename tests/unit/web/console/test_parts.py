"""The parts of pages: what is shared by viewers, drawn, confirmed, checked and vendored."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from notify.errors import NotifyError
from notify.ledger import LedgerSnapshot
from notify.ledger.ledger import Ledger, Line
from notify.message import Channel, Status
from notify.people import Role, SignedIn
from notify.settings import Settings
from notify.status.lanes import lanes_of
from notify.status.overview import Overview
from notify.status.reader import StatusReader
from notify.topology import Depth
from notify.web.console import rendering
from notify.web.console.assets import Assets
from notify.web.console.bulk import (
    BulkQuestion,
    BulkResult,
    NotDone,
    confirmation,
    confirmed,
    result,
)
from notify.web.console.checks import BackgroundCheck
from notify.web.console.pages.overview import lane_row
from notify.web.console.params import FormMistake, Params
from notify.web.console.rendering import Here, Rendering, number, pretty, rate, span, utc
from notify.web.console.routing import ConsoleAction, RouteTable, View, Visit
from notify.web.console.snapshot import KEPT, SAMPLED, QueueSample, Snapshots
from notify.web.console.sparkline import sparkline
from notify.web.console.table import ROUTES
from tests.support.migrated import migrated
from tests.support.patience import PATIENCE
from tests.support.rig import until
from tests.support.tables import each_of

HTMX = "sha384-Qp9rdC8H7EqOoX+nR0P3RPG2Noji+qdwJlGpfzwQJsfOpp3sGwIdSP9xO3+UlEhn"
NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
EMAIL = Settings.model_validate(
    {
        "channels": {"email": {"providers": ["a"]}},
        "providers": {"a": {"use": "providers.sendgrid:SendGrid"}},
    }
)


class _Reader:
    """Counts reads, which take a moment."""

    def __init__(self) -> None:
        self.reads = 0
        self.waiting = 0
        self.gate = threading.Event()
        self.gate.set()

    def read(self) -> Overview:
        """Return an overview with one queue."""
        self.reads += 1
        threading.Event().wait(0.01)
        assert self.gate.wait(PATIENCE)
        return _overview({"notify.email.normal": Depth(self.waiting, 1)})


def _overview(queues: Any = None, **parts: Any) -> Overview:
    shown = {"growth": {}, "record": None, "ledger": None} | parts
    return Overview(settings=EMAIL, at=NOW, queues=queues, **shown)


@pytest.fixture
def snapshots(tmp_path: Path) -> Iterator[tuple[Snapshots, _Reader, list[float]]]:
    """Snapshots with a clock of their own."""
    store, reader, now = migrated(f"sqlite:///{tmp_path / 'n.db'}"), _Reader(), [100.0]
    reads: Any = reader
    shared = Snapshots(reads, settings=EMAIL, store=store, patience=10, monotonic=lambda: now[0])
    yield shared, reader, now
    store.close()


def test_all_viewers_share_one_snapshot_a_second(
    snapshots: tuple[Snapshots, _Reader, list[float]],
) -> None:
    """Ten viewers at once cost one read; the next read is a second later."""
    shared, reader, now = snapshots
    with ThreadPoolExecutor(10) as viewers:
        found = list(viewers.map(lambda _: shared.read(), range(10)))
    assert reader.reads == 1
    assert len({id(each) for each in found}) == 1
    now[0] += 0.9
    shared.read()
    assert reader.reads == 1
    now[0] += 0.2
    shared.read()
    assert reader.reads == 2


def test_a_slow_read_keeps_no_viewer_waiting(tmp_path: Path) -> None:
    """A broker that does not answer, or a full machine, costs viewers the newest state only."""
    store, reader, now = migrated(f"sqlite:///{tmp_path / 'n.db'}"), _Reader(), [100.0]
    reads: Any = reader
    shared = Snapshots(reads, settings=EMAIL, store=store, patience=0.01, monotonic=lambda: now[0])
    first = shared.read()
    reader.gate.clear()
    now[0] += 2
    assert shared.read() is first
    assert shared.read() is first
    assert shared.samples().keys() == {"notify.email.normal"}
    until(lambda: reader.reads == 2)
    reader.gate.set()
    shared.sample()
    assert shared.read() is not first
    store.close()


def test_a_read_that_follows_a_slow_one_is_not_waited_for(
    snapshots: tuple[Snapshots, _Reader, list[float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside a full machine viewers get the last snapshot at once, until reads are quick again."""
    shared, reader, now = snapshots
    read = reader.read

    def slow() -> Overview:
        now[0] += 11
        return read()

    with monkeypatch.context() as patched:
        patched.setattr(reader, "read", slow)
        last = shared.read()
    now[0] += 2
    assert shared.read() is last
    shared.sample()
    now[0] += 2
    reader.waiting = 7
    assert shared.read().queues == {"notify.email.normal": Depth(7, 1)}


def test_a_snapshot_that_fails_is_read_again(
    snapshots: tuple[Snapshots, _Reader, list[float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault reaches the viewers who wait for it, and not those after it."""
    shared, reader, _ = snapshots
    with monkeypatch.context() as patched:
        patched.setattr(reader, "read", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            shared.read()
    assert shared.read().queues


def test_the_last_five_minutes_are_kept(
    snapshots: tuple[Snapshots, _Reader, list[float]],
) -> None:
    """One sample in five seconds, however many viewers ask, and no more than five minutes."""
    shared, reader, now = snapshots
    for second in range(2 * int(SAMPLED)):
        reader.waiting = second
        now[0] += 1.01
        shared.read()
    assert len(shared.samples()["notify.email.normal"]) == 2
    for _ in range(2 * KEPT):
        now[0] += SAMPLED
        shared.sample()
    assert len(shared.samples()["notify.email.normal"]) == KEPT


def test_a_reader_shares_the_consoles_connections(tmp_path: Path) -> None:
    """And leaves the store open, which is not its own."""
    store = migrated(f"sqlite:///{tmp_path / 'n.db'}")
    away = Settings.model_validate({"amqp": {"url": "pyamqp://g:g@127.0.0.1:1//"}})
    with StatusReader(away, store=store) as reader:
        found = reader.read()
    assert found.record is not None
    assert found.unreadable.keys() == {"broker"}
    assert store.fits()
    store.close()


def test_lanes_are_in_the_order_of_their_oldest_message() -> None:
    """Age before depth; what is not known is None and not 0."""
    counts = {Status.QUEUED: 2, Status.SCHEDULED: 1, Status.SENDING: 4}
    lines = [
        Line("email", "bulk", {}, {}, NOW - timedelta(seconds=5)),
        Line("email", "normal", {}, counts, NOW - timedelta(minutes=5)),
    ]
    ledger = LedgerSnapshot(Ledger(NOW, 0, lines, {}, {}), {}, {})
    queues = {
        "notify.email.critical": Depth(1000, 2),
        "notify.email.normal": Depth(3, 0),
        "notify.email.bulk": None,
    }
    lanes = lanes_of(_overview(queues, ledger=ledger))
    assert [each.lane for each in lanes] == ["normal", "bulk", "critical"]
    first = lanes[0]
    assert (first.channel, first.oldest, first.sending, first.deferred) == (
        *(Channel.EMAIL, 300.0, 4, 3),
    )
    assert first.stuck
    assert lanes[1].waiting is None
    assert not lanes[2].stuck
    assert lanes[2].leaving is None


@pytest.mark.parametrize(
    ("depth", "waiting", "waited"),
    [
        (Depth(9, 0), [0, 3, 4, 9], 2 * SAMPLED),
        (Depth(9, 0), [5] * KEPT, (KEPT - 1) * SAMPLED),
        (Depth(9, 0), [], 0.0),
        (Depth(9, 1), [3, 4, 9], None),
        (Depth(0, 0), [3, 4, 0], None),
    ],
)
def test_a_message_that_no_worker_has_received_has_an_age_too(
    depth: Depth, waiting: list[int], waited: float | None
) -> None:
    """At least: since the queue without a consumer was last seen empty."""
    (lane,) = [
        each for each in lanes_of(_overview({"notify.email.bulk": depth})) if each.lane == "bulk"
    ]
    row = lane_row(lane, [QueueSample(each, 0.0) for each in waiting])
    assert row.waited == waited
    assert row.age == (waited or 0.0)


def test_a_curve_says_in_words_what_it_shows() -> None:
    """The label is escaped; the newest value is at the right edge; an empty curve is drawn too."""
    curve = sparkline([0, 5, 10], slots=60, label='<b>"x"')
    assert 'aria-label="&lt;b&gt;&#34;x&#34;"' in curve
    points = re.findall(r'polyline points="([^"]*)"', curve)[0].split()
    assert points[-1] == "120.0,2.0"
    assert "style=" not in curve
    assert "points=" in sparkline([], slots=60, label="nothing")


@each_of(
    ("shown", "text"),
    [
        (span(None), "\N{EN DASH}"),
        (span(0.083), "83 ms"),
        (span(2.04), "2.0 s"),
        (span(59), "59 s"),
        (span(125), "2 min 5 s"),
        (span(3600), "1 h"),
        (span(90_000), "1 d 1 h"),
        (number(1_234_567), "1\u202f234\u202f567"),
        (number(None), "\N{EN DASH}"),
        (rate(0.0), "0/s"),
        (rate(0.01), "<0.1/s"),
        (rate(2.34), "2.3/s"),
        (rate(1234.5), "1234/s"),
        (utc(NOW), '<time datetime="2026-11-30T09:00:00.000+00:00">2026-11-30 09:00:00</time>'),
        (utc(NOW.timestamp()), utc(NOW)),
    ],
)
def test_values_are_written_for_people(shown: str, text: str) -> None:
    """Two units at most; times with the machine's form beside."""
    assert shown == text


def test_a_number_that_a_browser_would_round_is_text() -> None:
    """River #593: ids beyond 2^53 changed on the way to the screen."""
    assert pretty({"id": 2**53 + 1, "few": [1]}) == (
        '{\n  "id": "9007199254740993",\n  "few": [\n    1\n  ]\n}'
    )


def _visit(pairs: list[tuple[str, str]]) -> Visit:
    site: Any = None
    user = SignedIn("ann", Role.OPERATOR, "password")
    return Visit(site=site, user=user, path="/x", form=Params(pairs))


def _rendered(view: View) -> str:
    user = SignedIn("ann", Role.OPERATOR, "password")
    return Rendering(ROUTES, Assets()).render(view, Here(path="/x", title=view.title, user=user))


def test_an_act_on_many_asks_for_their_number() -> None:
    """The form is posted again with all its fields; another number asks again, and says why."""
    question = BulkQuestion(
        action="Discard 3 letters", count=3, skipped=[NotDone("7", "it was <replayed>", "/x/7")]
    )
    first = _visit([("id", "1"), ("id", "2"), ("reason", 'a "reason"')])
    assert not confirmed(first, 3)
    page = _rendered(confirmation(first, question))
    assert page.count('type="hidden" name="id"') == 2
    assert 'value="a &#34;reason&#34;"' in page
    assert "it was &lt;replayed&gt;" in page
    again = _visit([("confirm_count", "2")])
    assert not confirmed(again, 3)
    assert "You typed 2" in _rendered(confirmation(again, question))
    assert confirmed(_visit([("confirm_count", "3")]), 3)


def test_a_result_says_what_is_done_skipped_and_refused() -> None:
    """Each with its reason."""
    found = BulkResult(done=4, skipped=[NotDone("5", "sent")], refused=[NotDone("6", "no key")])
    page = _rendered(result(_visit([("reason", "why")]), "Replayed", found, back="/dead-letters"))
    for part in ("<b>4</b>", "Skipped: 1", "Refused: 1", "no key", 'href="/dead-letters"', "why"):
        assert part in page


@pytest.mark.parametrize("reason", ["", "   ", "x" * 1001])
def test_an_act_needs_a_reason(reason: str) -> None:
    """Of a length that the audit keeps."""
    with pytest.raises(FormMistake, match="reason"):
        _visit([("reason", reason)]).actor()


def test_a_check_runs_once_at_a_time_and_a_fault_ends_it() -> None:
    """The page shows its result, or why it failed; a second start changes nothing."""
    gate = threading.Event()
    answers: list[Any] = [["fine"], NotifyError("the record is away"), ZeroDivisionError()]

    def run() -> list[str]:
        assert gate.wait(10)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return list(answer)

    check = BackgroundCheck(run, clock=lambda: NOW)
    thread = check.start()
    assert thread is not None
    assert check.start() is None
    assert _state(check)[0] == NOW
    gate.set()
    thread.join(10)
    assert _state(check) == (None, NOW, ["fine"])
    for text in ("the record is away", "a fault in the check itself; the log has it"):
        thread = check.start()
        assert thread is not None
        thread.join(10)
        assert (check.state.result, check.state.mistake) == (None, text)


def _state(check: BackgroundCheck[list[str]]) -> tuple[Any, ...]:
    return check.state.since, check.state.ended, check.state.result


def test_htmx_is_the_released_file() -> None:
    """The SHA-384 of htmx.org 4.0.1 from npm; the page has it as `integrity`."""
    assert Assets().by_name["htmx.min.js"].integrity == HTMX
    licence = Path(__file__).parents[4] / "notify/web/console/static/htmx.LICENSE"
    assert "Zero-Clause BSD" in licence.read_text()


def test_a_path_has_one_route_and_no_part_crosses_a_slash() -> None:
    """An encoded slash stays in its part; dots mean nothing."""
    table = RouteTable([ConsoleAction(path="/x/{id}/go", needs=Role.OPERATOR, act=_never)])
    match = table.find("POST", "/x/a%2Fb/go")
    assert match is not None
    assert match.parts == {"id": "a/b"}
    assert table.find("POST", "/x/a/b/go") is None
    assert table.find("POST", "/x//go") is None
    other = table.find("GET", "/x/a/go")
    assert other is not None
    assert other.route is None


def _never(_: Visit) -> View:
    raise AssertionError


def test_an_upgrade_does_not_change_the_pages_of_a_running_console(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Newer templates would ask for values that the older code does not have."""
    package = Path(rendering.__file__).parent
    copytree(package / "html", tmp_path / "html")
    monkeypatch.setattr(rendering, "files", lambda _: tmp_path)
    running = Rendering(ROUTES, Assets())
    for each in (tmp_path / "html").iterdir():
        each.write_text("{{ newer.value }}")
    view = View("mistake.html.j2", title="x", values={"text": "as before"})
    user = SignedIn("ann", Role.VIEWER, "password")
    assert "as before" in running.render(view, Here(path="/x", title="x", user=user))
