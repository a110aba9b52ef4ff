"""The envelope of each message: its return path, its recipient, and the reports to ask for."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from notify.message import MailSender, Rendered
from providers.smtp.return_path import BounceKey


@dataclass(frozen=True, slots=True)
class Envelope:
    """
    One message's envelope.

    Attributes:
        sender: Its return path.
        to: Its recipient.
        message_id: Its Message-ID, without angle brackets.
        attempt_id: The call.
        notify: The reports to ask for, such as `FAILURE,DELAY`; empty for the relay's own rule.
    """

    sender: str
    to: str
    message_id: str
    attempt_id: UUID
    notify: str = ""


class Envelopes:
    """
    Makes envelopes.

    Args:
        return_path: The address that a token is added to; None for the From address.
        key: Makes the tokens.
        success_reports: Whether to ask for reports of deliveries.
    """

    def __init__(
        self, return_path: str | None, key: BounceKey | None, *, success_reports: bool
    ) -> None:
        self._local, _, self._domain = (return_path or "").rpartition("@")
        self._key = key
        self._notify = "SUCCESS,FAILURE,DELAY" if success_reports else "FAILURE,DELAY"

    def of(self, message: Rendered, *, sender: MailSender) -> Envelope:
        """Return the envelope of a message."""
        domain = sender.address.rpartition("@")[2]
        attempt_id = message.attempt_id
        if self._key is None:
            own = f"{attempt_id}@{domain}"
            return Envelope(self.bare(sender), message.to, own, attempt_id)
        token = self._key.token(attempt_id, message.to)
        # Complaints quote the message and not its return path.
        own = f"{token}@{domain}"
        if not self._domain:
            return Envelope(sender.address, message.to, own, attempt_id)
        back = f"{self._local}+{token}@{self._domain}"
        return Envelope(back, message.to, own, attempt_id, self._notify)

    def bare(self, sender: MailSender) -> str:
        """Return the return path without a token."""
        return f"{self._local}@{self._domain}" if self._domain else sender.address
