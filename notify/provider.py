"""The contract of a provider: one vendor's way of taking one rendered message."""

from __future__ import annotations

from typing import ClassVar, Protocol

from notify.message import Channel, Receipt, Rendered


class Provider(Protocol):
    """
    Translates a rendered message into one vendor's request, and its answer into ours.

    A provider is built once per process as ``factory(**options, **secrets)`` and called by many
    threads at once. It holds no retry, limit, breaker, log or store: those stand around it.
    """

    channel: ClassVar[Channel]

    def send(self, message: Rendered, /) -> Receipt:
        """
        Hand one message to the vendor, in one call bounded in time.

        Raises:
            TransientError: It was certainly not sent; `Throttled` and `Unauthorized` say why.
            PermanentError: The vendor will never take it; `InvalidRecipient` if that is why.
            OutcomeUnknown: The request left and no trustworthy answer came back.
        """
        ...

    def close(self) -> None:
        """Give back connections. No call follows."""
        ...
