"""The choices that only some requests make, beside their content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from notify.message.push import PushOptions
from notify.message.rendered import Attachment


@dataclass(frozen=True, slots=True)
class Extras:
    """
    A request's own choices.

    Attributes:
        sender: The sender, by the name that the configuration has for it.
        reply_to: The address for replies to an email.
        headers: Further headers of an email.
        attachments: The files of an email.
        push: The options of a push message.
    """

    sender: str | None = None
    reply_to: str | None = None
    headers: Sequence[tuple[str, str]] = ()
    attachments: Sequence[Attachment] = ()
    push: PushOptions | None = None
