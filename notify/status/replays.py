"""The forecast of a replay of dead letters, as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from notify.deadletters import ReplayPlan


def plan_as_json(plan: ReplayPlan, *, rate: float, now: datetime) -> dict[str, Any]:
    """
    Return the plan of a replay as `notify dead plan --json` prints it.

    Args:
        rate: Notifications a second, for each channel.
    """
    return {
        "letters": plan.letters,
        "notifications": {
            prospect.replace(" ", "_"): number for prospect, number in plan.eligibilities.items()
        },
        "replayed": sum(plan.replayed.values()),
        "reports": plan.reports,
        "rate": rate,
        "seconds": round(plan.seconds(rate, now=now), 3),
        "unfit": {str(id_): why for id_, why in plan.unfit.items()},
    }
