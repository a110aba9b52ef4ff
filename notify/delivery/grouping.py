"""Forming groups: messages that one request can send become one call."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace

from notify.delivery.lane import Lane
from notify.delivery.plan import Call, Plan, Ready
from notify.flow import CircuitPermit


@dataclass(slots=True)
class _Group:
    """A call while messages are added to it."""

    call: Call
    recipients: set[str]
    parts: list[Ready] = field(default_factory=list)

    def add(self, part: Ready, *, most: int) -> bool:
        """Add a message, unless the group is full or has one for the same recipient."""
        recipient = part.message.to.casefold()
        if len(self.parts) >= most or recipient in self.recipients:
            return False
        self.recipients.add(recipient)
        self.parts.append(part)
        return True


def joined(plans: Sequence[Plan], *, most: int) -> list[Plan]:
    """Return plans of one lane, whose calls are joined as by `grouped`."""
    if most < 2:
        return list(plans)
    without_call = [plan for plan in plans if not isinstance(plan, Call)]
    calls = [plan for plan in plans if isinstance(plan, Call)]
    return [*without_call, *grouped(calls, most=most)]


def permitted(lane: Lane, plans: Sequence[Plan], permits: int) -> list[Plan]:
    """
    Return the first plans whose calls can share the permits, each with its own.

    Where less is left than a call of several messages should have, it has what is left.
    """
    found: list[Plan] = []
    for plan in plans:
        if not isinstance(plan, Call):
            found.append(plan)
            continue
        if not permits:
            break
        own = min(permits, lane.permits_for(len(plan.parts)))
        permits -= own
        found.append(plan if own == 1 else replace(plan, permits=own))
    return found


def grouped(calls: Sequence[Call], *, most: int) -> list[Call]:
    """
    Return the calls, joined where one request can send their messages.

    No call has two messages for one recipient. The probe of a circuit is not joined: if it fails,
    it concerns one message.

    Args:
        calls: Each has one message.
        most: The most messages in one call; providers may allow fewer.
    """
    if most < 2:
        return list(calls)
    groups: list[_Group] = []
    by_key: dict[Hashable, list[_Group]] = {}
    for call in calls:
        (part,) = call.parts
        limit = min(most, call.provider.most)
        alike = [] if call.permit.probe or limit < 2 else by_key.setdefault(_key(call, part), [])
        if not any(group.add(part, most=limit) for group in alike):
            group = _Group(call, set())
            group.add(part, most=limit)
            groups.append(group)
            alike.append(group)
    return [replace(group.call, parts=tuple(group.parts)) for group in groups]


def _key(call: Call, part: Ready) -> tuple[str, CircuitPermit, Hashable]:
    """Return what calls have in common that can be joined; a closed circuit's permits are equal."""
    return call.provider.name, call.permit, call.provider.shares(part.message)
