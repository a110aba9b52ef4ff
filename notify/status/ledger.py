"""The ledger as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from notify.ledger import TERMS, Contradiction, Ledger, Line, Miscount


def ledger_as_json(ledger: Ledger, queues: Mapping[str, tuple[int, int]] | None) -> dict[str, Any]:
    """
    Return the ledger as `notify ledger --json` prints it.

    Args:
        queues: By queue of the broker, its messages and consumers; None if it was not asked.
    """
    values = {
        "at": ledger.at.isoformat(),
        "balanced": ledger.balanced,
        "accepted": ledger.accepted,
        "difference": ledger.difference,
        "terms": {term: ledger.terms.get(term, 0) for term in TERMS},
        "lines": [_line(line, ledger) for line in ledger.lines],
        "faults": _contradictions(ledger.faults),
        "doubts": _contradictions(ledger.doubts),
        "miscounts": [_miscount(each) for each in ledger.miscounts],
    }
    if queues is not None:
        values["queues"] = {
            name: {"ready": ready, "consumers": consumers}
            for name, (ready, consumers) in queues.items()
        }
    return values


def _line(line: Line, ledger: Ledger) -> dict[str, Any]:
    return {
        "channel": line.channel,
        "lane": line.lane,
        "terms": dict(line.terms),
        "in_flight": dict(line.in_flight),
        "oldest_seconds": line.oldest and (ledger.at - line.oldest).total_seconds(),
    }


def _miscount(miscount: Miscount) -> dict[str, Any]:
    group = miscount.group
    return {
        "received": group.begin.isoformat(),
        "channel": group.channel,
        "lane": group.lane,
        "status": group.status,
        "kept": miscount.kept,
        "counted": miscount.counted,
    }


def _contradictions(found: Mapping[Any, Contradiction]) -> dict[str, Any]:
    return {
        kind.name.lower(): {
            "means": kind.value,
            "count": each.count,
            "ids": [str(id_) for id_ in each.ids],
        }
        for kind, each in found.items()
    }
