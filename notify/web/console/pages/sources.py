"""The producing services, and the recent batches."""

from __future__ import annotations

from notify.message import Status
from notify.people import Role
from notify.status.batches import read_batch, recent_batches
from notify.status.notification import masked
from notify.status.search import key_as_text, parse_key
from notify.status.sources import read_sources
from notify.web.console.pages.fields import uuid_part
from notify.web.console.routing import ConsolePage, Missing, Nav, View, Visit

_SHOWN = 50


def sources(visit: Visit) -> View:
    """Show the sources, and how their newest notifications ended."""
    values = {"sources": read_sources(visit.site.store), "now": visit.site.store.clock()}
    return View("sources.html.j2", title="Sources", values=values)


def batches(visit: Visit) -> View:
    """Show the recent batches."""
    source = visit.query.get("source")
    found = recent_batches(visit.site.store, source=source or None, limit=_SHOWN)
    values = {"batches": found, "source": source}
    return View("batches.html.j2", title="Batches", values=values)


def batch(visit: Visit) -> View:
    """Show one batch with its progress, and a page of its recipients."""
    id_ = uuid_part(visit.parts["id"])
    at = visit.query.get("after")
    found = read_batch(visit.site.store, id_, after=parse_key(at) if at else None, limit=_SHOWN)
    if found is None:
        raise Missing(f"no batch {id_} is on record")
    after = found.members.after
    values = {
        "batch": found,
        "rows": [masked(each) for each in found.members.rows],
        "counts": [(each, found.counts[each]) for each in Status if found.counts.get(each)],
        "waiting": sum(found.counts.get(each, 0) for each in (Status.SCHEDULED, Status.QUEUED)),
        "next": visit.query.query(after=key_as_text(after)) if after else "",
        "newest": visit.query.query(after=None),
        "paged": bool(at),
        "now": visit.site.store.clock(),
    }
    return View("batch.html.j2", title=f"Batch {id_}", values=values)


ROUTES = (
    ConsolePage(path="/batches", needs=Role.VIEWER, show=batches, nav=Nav("Messages", "Batches")),
    ConsolePage(path="/batches/{id}", needs=Role.VIEWER, show=batch),
    ConsolePage(path="/sources", needs=Role.VIEWER, show=sources, nav=Nav("Senders", "Sources")),
)
