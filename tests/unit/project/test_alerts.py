"""The shipped alerts and dashboard use existing metrics."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from notify.telemetry.metrics.catalog import FAMILIES, MetricType
from tests.support.services import missing
from tests.support.tables import each_of

ROOT = Path(__file__).parents[3]
ALERTS = ROOT / "config/alerts.yml"
DASHBOARD = ROOT / "config/grafana/notify.json"
_SELECTED = re.compile(r"\b(notify_\w+)(?:\{([^}]*)\})?")
_BY = re.compile(r"\bby \(([a-z_, ]+)\)")
_FROM_PROMETHEUS = {"instance", "le"}

CASES = Path(__file__).with_name("alert_cases.yml")


def queries() -> Iterator[str]:
    """Return all queries to Prometheus."""
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    text = re.sub(r">-\n\s+", "", ALERTS.read_text())
    yield from re.findall(r"expr: (.+(?:\n\s+/ .+)?)", text)


def _series() -> dict[str, set[str]]:
    """Return the labels of each series."""
    known = {}
    for family in FAMILIES:
        ends = ("_bucket", "_count", "_sum") if family.kind is MetricType.DURATION else ("",)
        known.update({family.name + end: set(family.labels) for end in ends})
    return known


@each_of("query", list(queries()))
def test_a_query_names_series_and_labels_that_there_are(query: str) -> None:
    """A query for another metric would show nothing, or never alert."""
    known, labels = _series(), set()
    asked = _SELECTED.findall(query)
    assert asked or "node_" in query or "up{" in query
    for name, selected in asked:
        assert name in known
        labels |= known[name]
        assert set(re.findall(r"(\w+)[!=]~?", selected)) <= known[name] | _FROM_PROMETHEUS
    for names in _BY.findall(query):
        assert set(names.split(", ")) <= labels | _FROM_PROMETHEUS


def test_every_alert_leads_to_a_section_of_the_runbook() -> None:
    """An operator on call finds the commands at once."""
    page = (ROOT / "docs/operations.md").read_text()
    anchors = {title.lower().replace(" ", "-") for title in re.findall(r"^## (.+)$", page, re.M)}
    text = ALERTS.read_text()
    runbooks = re.findall(r"runbook: docs/operations.md#([a-z-]+)", text)
    assert len(runbooks) == text.count("- alert:") > 10
    assert set(runbooks) <= anchors


def test_the_dashboard_shows_every_metric() -> None:
    """A metric without an alert or a panel could be removed."""
    shown = DASHBOARD.read_text() + ALERTS.read_text()
    assert [each.name for each in FAMILIES if each.name not in shown] == ["notify_worker_info"]


def test_the_alerts_alarm_when_they_should_and_not_before(tmp_path: Path) -> None:
    """Prometheus' own tool runs their cases."""
    promtool = shutil.which("promtool")
    if promtool is None:
        missing("promtool is not installed: apt-get install prometheus")
    (tmp_path / "alerts.yml").write_text(ALERTS.read_text())
    (tmp_path / "cases.yml").write_text(CASES.read_text())
    done = subprocess.run(
        [promtool, "test", "rules", "cases.yml"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
