"""The examples of an events' consumer and of a producer's outbox do what their READMEs say."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from notify.message import Status
from tests.support.rig import Rig, surroundings, until
from tests.support.services import Users

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def rig(tmp_path: Path, broker_url: str) -> Iterator[Rig]:
    """A worker's surroundings on SQLite."""
    url = f"sqlite:///{tmp_path}/notify.db"
    with surroundings(tmp_path, broker_url=broker_url, store_url=url) as rig:
        yield rig


@pytest.fixture
def shop_url(rig: Rig, users: Users) -> str:
    """The address of a broker's user with just the rights that docs/events.md names."""
    _, url = users.add(
        rig.broker_url,
        configure=r"^shop\.events$",
        write=r"^(notify|shop\.events)$",
        read=r"^(notify\.events|shop\.events)$",
    )
    return url


def _environ(rig: Rig, **more: str) -> Mapping[str, str]:
    return {**os.environ, "NOTIFY_CONFIG": str(rig.config), **more}


@contextmanager
def _consumer(rig: Rig, url: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, str(EXAMPLES / "events_consumer/consume.py"), "shop"],
        env=_environ(rig, AMQP_URL=url, MAILS=str(rig.folder / "mails.db")),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stderr is not None
        try:
            assert process.stderr.readline() == "waiting for the events of shop; Ctrl-C stops\n"
            yield process
        finally:
            process.kill()


def test_the_consumer_learns_what_happened_while_it_was_away(rig: Rig, shop_url: str) -> None:
    """Its own queue keeps events, with no more rights than the page says."""
    with _consumer(rig, shop_url) as process, rig.worker():
        sent = rig.request()
        assert process.stdout is not None
        assert process.stdout.readline().split()[:2] == [str(sent), "sent"]
    with rig.worker():
        refused = rig.request(to="invalid@sandbox.test")
        until(lambda: rig.status(refused) is Status.REJECTED)
    with _consumer(rig, shop_url) as process:
        assert process.stdout is not None
        assert process.stdout.readline().split()[:2] == [str(refused), "rejected"]


def test_the_shop_that_dies_after_its_commit_has_its_mail_sent(rig: Rig, shop_url: str) -> None:
    """The README's two rounds: one that ends well, and one with a crash and a relay."""
    shop = f"sqlite:///{rig.folder}/shop.db"
    environ = _environ(rig, AMQP_URL=shop_url, SHOP=shop, OUTBOX_DATABASE_URL=shop)

    def order(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(EXAMPLES / "outbox/shop.py"), "ada@sandbox.test"]
        return subprocess.run(
            [*command, *arguments], env=environ, capture_output=True, text=True, check=False
        )

    good, crashed = order(), order("--crash")
    assert (good.returncode, crashed.returncode) == (0, 1), good.stderr
    relay = [sys.executable, "-m", "notify", "outbox", "relay", "--once"]
    relayed = subprocess.run(relay, env=environ, capture_output=True, text=True, check=False)
    assert relayed.stdout == "1 published\n"
    ids = [UUID(done.stdout.strip()) for done in (good, crashed)]
    with rig.worker():
        until(lambda: {rig.status(id_) for id_ in ids} == {Status.SENT})
