"""The shipped dashboard and alerts, asked of a real Prometheus that watches real workers."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from notify.stack.rabbitmq import free_ports
from tests.integration.test_metrics import Watched, watched
from tests.support.patience import PATIENCE
from tests.support.rig import until
from tests.support.services import missing
from tests.unit.project.test_alerts import ALERTS, DASHBOARD, queries

CONFIG = """
global: {{scrape_interval: 500ms}}
rule_files: ["{alerts}"]
scrape_configs:
  - job_name: notify
    static_configs: [{{targets: ["127.0.0.1:{email}", "127.0.0.1:{dead}"]}}]
"""


@pytest.fixture
def here(tmp_path: Path, broker_url: str) -> Iterator[Watched]:
    """Surroundings whose workers are watched, and limited."""
    with watched(tmp_path, broker_url) as here:
        text = here.rig.config.read_text()
        table = "[providers.sendgrid]\n"
        here.rig.config.write_text(text.replace(table, f"{table}rate = 50\n"))
        yield here


@contextmanager
def prometheus(folder: Path, here: Watched) -> Iterator[str]:
    """Run a Prometheus of our own; give its address."""
    program = shutil.which("prometheus")
    if program is None:
        missing("Prometheus is not installed: apt-get install prometheus")
    (port,) = free_ports(1)
    config = folder / "prometheus.yml"
    config.write_text(CONFIG.format(alerts=ALERTS, email=here.email, dead=here.dead))
    command = [
        program,
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


OF_RECEIPTS = re.compile(r"notify_(receipts?|feedback|api)_")
"""Metrics of the intake, the API and the pool of receipts, which this test does not run."""


def _ask(url: str, path: str) -> Any:
    with urlopen(f"{url}/api/v1/{path}", timeout=PATIENCE) as answer:  # noqa: S310 - our own server
        return json.load(answer)["data"]


def _answers(url: str, query: str) -> int:
    try:
        return len(_ask(url, f"query?query={quote(query)}")["result"])
    except OSError:
        return 0


def test_every_query_of_the_dashboard_finds_data(here: Watched, tmp_path: Path) -> None:
    """A panel that shows nothing when all is well shows nothing at night either."""
    rig = here.rig
    with rig.worker(), rig.worker("dead", pool="dead"), prometheus(tmp_path, here) as url:
        rig.requests(5)
        rig.requests(1, to="flaky@sandbox.test")
        rig.publish(b"no request")
        until(lambda: _answers(url, "notify_dead_letters_waiting > 0") > 0)
        rig.requests(5)
        panels = json.loads(DASHBOARD.read_text())["panels"]
        asked = [
            target["expr"]
            for panel in panels
            for target in panel.get("targets", ())
            if not OF_RECEIPTS.search(target["expr"])
        ]
        assert len(asked) > 30
        empty = set(asked)

        def all_answered() -> bool:
            empty.difference_update([query for query in empty if _answers(url, query)])
            return not empty

        try:
            until(all_answered)
        finally:
            assert empty == set()
        rules = _ask(url, "rules")["groups"]
        states = {rule["name"]: rule["health"] for group in rules for rule in group["rules"]}
        assert len(states) == ALERTS.read_text().count("- alert:")
        assert set(states.values()) <= {"ok", "unknown"}
    assert len(list(queries())) > len(asked)
