"""
SendGrid's events as its Event Webhook posts them.

Fields: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from notify.sandbox.posting.post import PlannedEvent
from notify.sandbox.posting.script import StepSubject

MOST_EVENTS = 1000
"""The most elements of one post."""

_POISON: tuple[Any, ...] = (
    None,
    "not an event",
    {"event": ["delivered"], "timestamp": "noon", "email": {"of": "nobody@sandbox.test"}},
)


def body_of(elements: Sequence[Any]) -> bytes:
    """Return the body with the line breaks that SendGrid writes, which the signature covers."""
    lines = ",\r\n".join(json.dumps(each, separators=(",", ":")) for each in elements)
    return f"[{lines}]\r\n".encode()


def event_of(planned: PlannedEvent, event_id: str) -> dict[str, Any]:
    """Return one element, with our custom arguments at its top level."""
    message, step = planned.message, planned.step
    event = {"timestamp": int(planned.at), "event": step.word, "sg_event_id": event_id}
    if step.subject is not StepSubject.ACCOUNT:
        event["email"] = message.to
    if step.subject is StepSubject.CALL:
        event = {
            **message.details.get("custom_args", {}),
            **event,
            "sg_message_id": f"{message.provider_id}.recvd-sandbox-1-6745F1E0-1.0",
            "smtp-id": f"<{message.provider_id}@sandbox.test>",
        }
        if "categories" in message.details:
            event["category"] = message.details["categories"]
    return event | dict(step.fields)


def poisoned(events: Sequence[dict[str, Any]], new_id: Callable[[], str]) -> list[Any]:
    """Return 1,000 elements: the events, opens of other mail, and three that are not events."""
    fillers = [
        {
            "email": "reader@sandbox.test",
            "timestamp": events[0]["timestamp"],
            "event": "open",
            "sg_event_id": new_id(),
            "useragent": "Mozilla/5.0",
            "ip": "192.0.2.1",
        }
        for _ in range(MOST_EVENTS - len(events) - len(_POISON))
    ]
    half = len(fillers) // 2
    return [*fillers[:half], *_POISON, *events, *fillers[half:]]
