"""The host's clock is read only where nothing on record is compared with it."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
HOSTS = re.compile(r"datetime\.now\(|time\.time\b|time\.time_ns\b|utcnow|func\.now\(")
ALLOWED = {
    "cli/keyring.py": "names a key",
    "status/reader.py": "heads a screen while the record is away",
    "cli/send/command.py": "dates a request, as its producer",
    "cli/options/when.py": "dates a request, as its producer",
    "contract/check.py": "lints a file without a record",
    "delivery/metrics.py": "is a default that delivery replaces",
    "delivery/pacer.py": "is a default that delivery replaces",
    "doctor/examine.py": "compares it with the database's",
    "web/console/checks.py": "heads a page with when a check ended",
    "worker/health.py": "measures queues of this process",
    "message/time_ids.py": "begins an id with its time",
    "outbox/relay.py": "is the clock of a SQLite file on this host",
    "publisher/link.py": "dates a message",
    "service/receipt_intake.py": "dates a vendor's request: the record may be away",
    "service/unsubscribe.py": "dates an opt-out while the record is away",
    "worker/received.py": "dates a message without a date",
    "store/store.py": "watches it",
    "store/db/record_clock.py": "watches it",
    "telemetry/tracing.py": "dates spans, which are not on record",
}


def test_nothing_on_record_goes_by_a_hosts_clock() -> None:
    """A lease, a due time or a retention by a wrong clock sends twice, or deletes too early."""
    found = {
        str(path.relative_to(ROOT / "notify"))
        for path in (ROOT / "notify").rglob("*.py")
        if HOSTS.search(path.read_text())
    }
    ours = {each for each in found if not each.startswith(("sandbox/", "stack/"))}
    assert ours <= set(ALLOWED)
