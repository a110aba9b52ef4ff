"""The JSON of many events that differ only in their identities, written from one of them."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from notify.contract.event import Event


class EventIdentity(NamedTuple):
    """The values in which equal ends of one request's recipients differ."""

    event_id: str
    sequence: int
    id: UUID
    position: int


class EventText:
    """
    Writes the events of recipients whose requests ended alike.

    The bytes are those of `Event.model_dump_json`, whose fields are in the order of the class: a
    property test compares both.
    """

    def __init__(self, like: Event) -> None:
        """Use the JSON of one of the events as the form of all."""
        rest = like.model_dump_json().replace("%", "%%")
        form = []
        for name, value in (
            ("event_id", f'"{like.event_id}"'),
            ("sequence", str(like.sequence)),
            ("id", f'"{like.id}"'),
            ("position", str(like.position)),
        ):
            # Only ids, times and numbers precede these, so the first match is the field.
            before, found, rest = rest.partition(f'"{name}":{value},')
            if not found:
                raise ValueError(f"an event has no {name} in its place")
            form.append(before)
        first, second, third, fourth = form
        self._form = (
            f'{first}"event_id":"%s",{second}"sequence":%d,{third}"id":"%s",'
            f'{fourth}"position":%d,{rest}'
        )

    def of(self, identity: EventIdentity) -> bytes:
        """Return the JSON of the event with this identity."""
        return (self._form % identity).encode()
