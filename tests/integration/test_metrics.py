"""Metrics of running workers, compared with the events that they count."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen
from uuid import UUID

import pytest

from notify.message import Status
from notify.stack.rabbitmq import free_ports
from tests.support.patience import PATIENCE
from tests.support.rig import Rig, surroundings, until

_SAMPLE = re.compile(r"(?P<name>\w+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)")


@dataclass(frozen=True)
class Scrape:
    """The metrics of one process at one moment."""

    samples: dict[tuple[str, frozenset[str]], float]

    def __call__(self, name: str, **labels: str) -> float | None:
        """Sum up the samples of a name that have these labels; None if there is none."""
        wanted = {f'{label}="{value}"' for label, value in labels.items()}
        found = [
            value for (known, has), value in self.samples.items() if known == name and wanted <= has
        ]
        return sum(found) if found else None


def get(port: int, path: str) -> tuple[int, str]:
    """Send a request to one process; return the status and the body."""
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def scrape(port: int) -> Scrape:
    """Read all metrics of one process."""
    status, text = get(port, "/metrics")
    assert status == 200
    samples = {}
    for line in text.splitlines():
        match = _SAMPLE.fullmatch(line)
        if match and not line.startswith("#"):
            labels = frozenset(re.findall(r'\w+="[^"]*"', match["labels"] or ""))
            samples[match["name"], labels] = float(match["value"])
    return Scrape(samples)


@dataclass(frozen=True)
class Sample:
    """An expected sample."""

    name: str
    value: float
    labels: Mapping[str, str]


def shows(port: int, *expected: Sample) -> None:
    """Wait until one process shows these samples: it counts after the record is written."""

    def wrong() -> list[Sample]:
        shown = scrape(port)
        return [each for each in expected if shown(each.name, **each.labels) != each.value]

    try:
        until(lambda: not wrong())
    except AssertionError:
        assert wrong() == []


@dataclass(frozen=True)
class Watched:
    """Surroundings whose workers serve metrics."""

    rig: Rig
    email: int
    dead: int


@contextmanager
def watched(folder: Path, broker_url: str) -> Iterator[Watched]:
    """Configure free ports for the workers."""
    store_url = f"sqlite:///{folder}/notify.db"
    with surroundings(folder, broker_url=broker_url, store_url=store_url) as rig:
        email, dead = free_ports(2)
        ports = f"ports = {{ email = {email}, dead = {dead} }}"
        rig.config.write_text(rig.config.read_text().replace("enabled = false", ports))
        yield Watched(rig, email, dead)


@pytest.fixture
def here(tmp_path: Path, broker_url: str) -> Iterator[Watched]:
    """Surroundings whose workers serve metrics."""
    with watched(tmp_path, broker_url) as here:
        yield here


def test_metrics_count_each_event_once(here: Watched) -> None:
    """Each outcome counts once by its labels; dead letters count where they are archived."""
    rig = here.rig
    with rig.worker(), rig.worker("dead", pool="dead"):
        sent = rig.requests(5)
        bounced = rig.request(to="invalid@sandbox.test")
        rig.request(id=str(sent[0]))
        rig.publish(b"no request")
        ended([*sent, bounced], rig)
        until(lambda: scrape(here.dead)("notify_dead_letters_total", cause="contract") == 1)
        lane = {"channel": "email", "lane": "normal"}
        attempts = {"provider": "sendgrid"}
        accepted = {"outcome": "accepted", "verdict": "sent"}
        shows(
            here.email,
            Sample("notify_accepted_total", 6, lane),
            Sample("notify_duplicates_total", 1, lane),
            Sample("notify_ended_total", 5, {**lane, "status": "sent"}),
            Sample("notify_ended_total", 1, {**lane, "status": "rejected"}),
            Sample("notify_attempts_total", 5, {**attempts, **accepted}),
            Sample("notify_attempts_total", 1, {**attempts, "verdict": "rejected"}),
            Sample("notify_call_seconds_count", 6, attempts),
            Sample("notify_delivery_seconds_count", 5, lane),
            Sample("notify_delivery_seconds_bucket", 5, {**lane, "le": "+Inf"}),
            Sample("notify_circuit_state", 1, {**attempts, "state": "closed"}),
            Sample("notify_queue_consumers", 1, {"queue": "notify.email.normal"}),
        )
        assert scrape(here.email)("notify_worker_ready") == 1
        assert get(here.email, "/readyz") == get(here.email, "/livez") == (200, "ok\n")
        assert get(here.email, "/secret")[0] == 404


def test_a_port_that_is_taken_costs_the_metrics_and_nothing_else(here: Watched) -> None:
    """Two workers with one name both work; a warning names the one without metrics."""
    rig = here.rig
    with socket.create_server(("127.0.0.1", here.email)), rig.worker():
        ended([rig.request()], rig)
        assert "notify.metrics_unserved" in rig.log()


def ended(ids: list[UUID], rig: Rig) -> None:
    """Wait until notifications have ended."""
    ends = (Status.SENT, Status.REJECTED)
    until(lambda: all(rig.status(id_) in ends for id_ in ids))
