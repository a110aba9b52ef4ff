"""The newest accepted messages, in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from itertools import islice
from typing import Any

from notify.contract import Spellings, case_folded, normal_form
from notify.message import Channel
from notify.sandbox.behaviour import Behaviour, FeedbackEvent, Vendor


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one recipient, as a vendor's stand-in read it."""

    id: str
    """Unique in the inbox."""
    provider_id: str
    """The vendor's id of the message; recipients of one request may share it."""
    vendor: Vendor
    channel: Channel
    at: datetime
    """When it arrived; in UTC."""
    to: str
    sender: str = ""
    subject: str = ""
    text: str = ""
    html: str = ""
    notify_id: str = ""
    attempt_id: str = ""
    behaviour: Behaviour = Behaviour.DELIVER
    event: FeedbackEvent = FeedbackEvent.DELIVERED
    """Its later event."""
    account: str = ""
    """The path before the vendor's own path; the vendor's name if there is none."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """The rest of the request, with the vendor's own names."""
    place: str = field(default="", repr=False)
    """Where its recipient is in the request, as the vendor names it in a refusal."""
    token: str = field(default="", repr=False)
    """The secret of the request that signs the vendor's callbacks; in no answer of the sandbox."""

    def as_dict(self) -> dict[str, Any]:
        """Return the message as JSON values, without its place and the secret."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        del values["token"], values["place"]
        return {**values, "at": self.at.isoformat(timespec="milliseconds")}


class Inbox:
    """
    The accepted messages, newest first. Safe to use from several threads.

    Args:
        keep: The most messages to keep; the oldest are removed first.
    """

    def __init__(self, *, keep: int) -> None:
        self._keep = keep
        self._messages: dict[str, Message] = {}
        self._lock = threading.Lock()

    def add(self, message: Message) -> None:
        """Add a message."""
        with self._lock:
            self._messages[message.id] = message
            if len(self._messages) > self._keep:
                del self._messages[next(iter(self._messages))]

    def get(self, message_id: str) -> Message | None:
        """Return a message by its id in the inbox, or None."""
        with self._lock:
            return self._messages.get(message_id)

    def clear(self) -> int:
        """Remove every message; return their number."""
        with self._lock:
            count = len(self._messages)
            self._messages.clear()
        return count

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[Message]:
        with self._lock:
            newest_first = list(reversed(self._messages.values()))
        return iter(newest_first)

    def find(
        self,
        *,
        channel: str = "",
        to: str = "",
        notify_id: str = "",
        text: str = "",
        limit: int | None = None,
    ) -> list[Message]:
        """
        Return the matching messages, newest first; an empty argument matches all.

        Args:
            channel: The channel's name.
            to: The recipient, in any spelling.
            notify_id: The exact notification id.
            text: Words anywhere in recipient, subject, text or notification id, in any case.
            limit: The most messages to return; None for all.
        """
        wanted = (normal_form(text) if Spellings(text).recognisable else text).casefold()
        recipient = case_folded(normal_form(to))
        found = (
            message
            for message in self
            if (not channel or message.channel == channel)
            and (not to or case_folded(normal_form(message.to)) == recipient)
            and (not notify_id or message.notify_id == notify_id)
            and wanted in _searchable(message, wanted)
        )
        return list(islice(found, limit))


def _searchable(message: Message, wanted: str) -> str:
    if not wanted:
        return ""
    return "\n".join(
        (message.to, message.subject, message.text, message.notify_id, message.provider_id)
    ).casefold()
