"""The faults of the receipts' path, each while the vendor posts."""

from __future__ import annotations

import time

from tests.faults.receipts.run import ReceiptDrill, ReceiptStage

AWAY = 60.0
"""Seconds for which the broker or the database is away."""
KILLS = 3


def _broker_away(stage: ReceiptStage) -> None:
    stage.services.broker.kill()
    time.sleep(AWAY)
    stage.services.broker.restart()


def _database_away(stage: ReceiptStage) -> None:
    stage.services.postgresql.pause()
    time.sleep(AWAY)
    stage.services.postgresql.resume()


def _kill(stage: ReceiptStage, name: str) -> None:
    for _ in range(KILLS):
        stage.fleet.kill(name)
        stage.fleet.start(name)
        stage.fleet.ready(name)
        time.sleep(2)


RECEIPT_DRILLS = {
    drill.name: drill
    for drill in (
        ReceiptDrill("receipts: broker away for 60 s", _broker_away),
        ReceiptDrill("receipts: database away for 60 s", _database_away),
        ReceiptDrill(
            "receipts: worker killed, three times", lambda stage: _kill(stage, "receipts-1")
        ),
        ReceiptDrill("receipts: intake killed, three times", lambda stage: _kill(stage, "web-1")),
    )
}
