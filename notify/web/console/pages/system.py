"""Workers, the doctor's findings, and the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from notify.doctor import Finding, Severity
from notify.errors import StoreError
from notify.ledger import TERMS
from notify.people import Role, record_check
from notify.web.console.routing import ConsoleAction, ConsolePage, Nav, Redirect, View, Visit

_ORDER = (Severity.FAIL, Severity.WARN, Severity.UNCHECKED, Severity.OK)


def workers(visit: Visit) -> View:
    """Show the pools with their consumers, and each queue with its own."""
    found = visit.site.overview.read()
    pools = visit.site.settings.pools
    values = {
        "overview": found,
        "pools": [(each, pools.get(each.pool)) for each in found.pools]
        if found.queues is not None
        else (),
        "paused": found.paused,
    }
    return View("workers.html.j2", title="Workers", values=values)


def doctor(visit: Visit) -> View:
    """Show the findings of the last run, the worst first."""
    state = visit.site.checks.doctor.state
    findings: Sequence[Finding] = sorted(
        state.result or (), key=lambda each: _ORDER.index(each.verdict)
    )
    counts = [(kind, sum(each.verdict is kind for each in findings)) for kind in _ORDER]
    values = {"state": state, "findings": findings, "counts": counts}
    return View("doctor.html.j2", title="Doctor", values=values)


def examine_now(visit: Visit) -> Redirect:
    """Begin a run of the doctor, which changes nothing."""
    # Without the record there is no audit, and the doctor is needed the most.
    with suppress(StoreError):
        record_check(visit.site.store, visit.user, check="doctor")
    visit.site.checks.doctor.start()
    return Redirect("/doctor")


def ledger(visit: Visit) -> View:
    """Show the counts of the whole record, and the result of the last check."""
    found = visit.site.overview.read()
    state = visit.site.checks.ledger.state
    values = {
        "overview": found,
        "counted": found.ledger.ledger if found.ledger else None,
        "terms": TERMS,
        "state": state,
        "checked": state.result,
    }
    return View("ledger.html.j2", title="Ledger", values=values)


def check_ledger(visit: Visit) -> Redirect:
    """Begin a check of what is new, has changed or is open."""
    record_check(visit.site.store, visit.user, check="ledger")
    visit.site.checks.ledger.start()
    return Redirect("/ledger")


ROUTES = (
    ConsolePage(path="/workers", needs=Role.VIEWER, show=workers, nav=Nav("System", "Workers")),
    ConsolePage(path="/doctor", needs=Role.VIEWER, show=doctor, nav=Nav("System", "Doctor")),
    ConsoleAction(path="/doctor", needs=Role.OPERATOR, act=examine_now, changes=False),
    ConsolePage(path="/ledger", needs=Role.VIEWER, show=ledger, nav=Nav("System", "Ledger")),
    # It only remembers what it has checked, as `notify ledger` does.
    ConsoleAction(path="/ledger", needs=Role.OPERATOR, act=check_ledger, changes=False),
)
