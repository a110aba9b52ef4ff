"""The effect of 100,000 receipts at once on login codes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from benchmarks.flow.config import FIRST
from benchmarks.flow.figures import Figure
from benchmarks.flow.isolation import WARM_UP, Pulse, span_delays, span_of
from benchmarks.flow.measure import p95
from benchmarks.flow.stage import Stage
from benchmarks.receipts import applied, event_of, post, sent
from benchmarks.stage import free_port
from notify.message import Channel
from tests.faults.stage import until
from tests.support.signing import SendGridSigner

EVENTS = 100_000
BATCH = 1000
"""Events of one request, the most that SendGrid posts."""
APPLIED_WITHIN = 600.0
CONFIG = """
[receipts]
public_url = "http://127.0.0.1:{port}"
port = {port}
[providers.first.receipts]
use = "providers.sendgrid:SendGridReceipts"
options = {{ keys = ["{key}"] }}
"""


def play(stage: Stage) -> Sequence[Figure]:
    """Measure critical email while a burst of receipts is applied, and on an idle system before."""
    signer, port = SendGridSigner(), free_port()
    stage.configure(CONFIG.format(port=port, key=signer.public_key))
    made = [event_of(*each) for each in sent(stage.store, int(stage.seconds(EVENTS, EVENTS / 20)))]
    requests = [signer.posted(made[at : at + BATCH]) for at in range(0, len(made), BATCH)]
    stage.start("email-1", "receipts-1", "web-1")
    with Pulse(stage.url, Channel.EMAIL) as critical, ThreadPoolExecutor(1) as vendor:
        time.sleep(WARM_UP)
        idle = span_of(stage, 30.0, 8.0)
        begin = time.time()
        posted = vendor.submit(post, f"http://127.0.0.1:{port}/receipts/{FIRST}", requests)
        posted.result()
        if not until(lambda: applied(stage.store) >= len(made), timeout=APPLIED_WITHIN):
            stage.faults.append("not every receipt was applied")
        busy = (begin, time.time())
    stage.stop()
    before = p95(span_delays(stage, critical, idle, FIRST))
    after = p95(span_delays(stage, critical, busy, FIRST))
    return [
        Figure("receipts a second", len(made) / (busy[1] - busy[0])),
        Figure("critical email, p95 idle", 1000 * before, "ms"),
        Figure("critical email, p95 beside the burst", 1000 * after, "ms"),
        Figure("critical email, ratio", after / before, most=2.0),
    ]
