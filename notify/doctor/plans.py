"""Bulk plans that no process counts or performs."""

from __future__ import annotations

from collections.abc import Iterator

from notify.doctor.finding import Finding, ok, warn
from notify.plans import earliest_plan
from notify.status.plans import waits_for_runner
from notify.store import Store


def findings(store: Store) -> Iterator[Finding]:
    """Report the plan that waits for longest, if no process works on it."""
    with store.reading() as connection:
        plan = earliest_plan(connection)
    if plan is None:
        yield ok("plans", "none is running")
    elif waits_for_runner(plan, now=store.clock()):
        found = f"plan {plan.id} is {plan.state}, and no process works on it"
        yield warn("plans", found, fix="start notify worker dead, and look at its log")
    else:
        yield ok("plans", f"plan {plan.id} is {plan.state}")
