"""The history: operators' acts, and changes of status as they happen."""

from __future__ import annotations

from datetime import timedelta

from notify.message import Channel, Status
from notify.people import Role
from notify.store import ActFilter, find_acts
from notify.store.relays import newest_events
from notify.web.console.pages.fields import word
from notify.web.console.params import FormMistake
from notify.web.console.routing import ConsolePage, Nav, View, Visit

NEWEST_EVENTS = 1000
"""The events that are examined: the filters select among these, so that none reads the record."""
SHOWN = 100
MOST_ACTS = 500

_SINCE = {
    "1h": ("the last hour", timedelta(hours=1)),
    "1d": ("the last day", timedelta(days=1)),
    "7d": ("the last 7 days", timedelta(days=7)),
    "30d": ("the last 30 days", timedelta(days=30)),
}
_LONGEST = 255


def audit(visit: Visit) -> View:
    """Show what operators did, the newest first."""
    query = visit.query
    since = query.get("since", "30d")
    if since not in _SINCE:
        raise FormMistake("since is 1h, 1d, 7d or 30d")
    words = {name: query.get(name) for name in ("actor", "action", "object")}
    if any(len(value) > _LONGEST for value in words.values()):
        raise FormMistake(f"a filter is longer than {_LONGEST} characters")
    limit = query.number("limit", default=100, most=MOST_ACTS)
    wanted = ActFilter(
        since=_SINCE[since][1],
        actor=words["actor"] or None,
        action=words["action"] or None,
        object=words["object"] or None,
    )
    with visit.site.store.reading() as connection:
        found = find_acts(connection, wanted, limit=limit + 1)
    values = {
        "acts": found[:limit],
        "more": len(found) > limit,
        "limit": limit,
        "query": query,
        "words": words,
        "since": since,
        "spans": {name: label for name, (label, _) in _SINCE.items()},
    }
    return View("audit.html.j2", title="Audit", values=values)


def events(visit: Visit) -> View:
    """Show the newest changes of status; the filters select among `NEWEST_EVENTS`."""
    query = visit.query
    channel, status = word(query, "channel", Channel), word(query, "status", Status)
    source = query.get("source")
    with visit.site.store.reading() as connection:
        newest = newest_events(
            connection,
            channel=channel,
            status=status,
            source=source or None,
            among=NEWEST_EVENTS,
            limit=SHOWN,
        )
    values = {
        "events": [each.event for each in reversed(newest)],
        "examined": NEWEST_EVENTS,
        "words": {"channel": channel, "status": status, "source": source},
        "channels": list(Channel),
        "statuses": list(Status),
    }
    return View("events.html.j2", title="Live events", values=values)


ROUTES = (
    ConsolePage(path="/events", needs=Role.VIEWER, show=events, nav=Nav("Now", "Live events")),
    ConsolePage(path="/audit", needs=Role.VIEWER, show=audit, nav=Nav("System", "Audit")),
)
