"""Holds as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from notify.cli.output import until, utc
from notify.policies.holds import Hold
from notify.status.holds import Alternatives, HeldMessages, HoldStatus


def effects(hold: Hold, held: HeldMessages, others: Alternatives) -> Iterator[str]:
    """
    Yield lines on what a new hold does.

    Args:
        others: For a provider's hold, the remaining providers of its channels.
    """
    yield f"hold {hold.id} is placed: {hold}, {_ends(hold)}"
    yield "in effect on all workers within 2 seconds"
    for channel, names in others.items():
        if names:
            yield f"{channel} goes on through {', '.join(names)}"
        else:
            yield f"{channel} has no other provider: it waits"
    if others and all(others.values()):
        return
    yield from _in_broker(hold, held)
    total = sum(held.rows.values())
    each = ", ".join(f"{number:,} {status}" for status, number in sorted(held.rows.items()))
    yield f"waiting on record: {total:,}" + (f" ({each})" if each else "")


def _in_broker(hold: Hold, held: HeldMessages) -> Iterator[str]:
    if held.queues is None:
        yield "waiting in RabbitMQ: not counted, since it cannot be reached"
        return
    filled = {name: number for name, number in held.queues.items() if number}
    total = sum(filled.values())
    each = ", ".join(f"{number:,} in {name}" for name, number in filled.items())
    counts = f"{total:,}" + (f" ({each})" if each else "")
    if held.whole or not total:
        yield f"waiting in RabbitMQ: {counts}"
        return
    parts = ("source", "template")
    which = ", ".join(f"{name} {value}" for name, value in hold.given.items() if name in parts)
    yield f"waiting in RabbitMQ: at most {counts}"
    yield f"  RabbitMQ does not know which are of {which}: workers set them aside as they arrive"


def listing(holds: Sequence[HoldStatus]) -> Iterator[str]:
    """Yield two lines for each hold."""
    width = max((len(str(each.hold.id)) for each in holds), default=0)
    for each in holds:
        hold = each.hold
        aside = f"; {each.set_aside:,} set aside in the record" if each.set_aside else ""
        since = utc(hold.since, timespec="minutes")
        yield f"{hold.id:{width}}  {hold}, {_ends(hold)}{aside}"
        yield f"{'':{width}}  since {since} UTC by {hold.actor}: {hold.reason}"


def _ends(hold: Hold) -> str:
    return until(hold.until, otherwise="it is released")
