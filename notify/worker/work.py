"""The part of a worker that processes its messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from notify.arrival import Arrival


class Component(Protocol):
    """A part of a worker that has its own threads."""

    def start(self) -> None:
        """Start the threads, and return."""

    def stop(self, *, timeout: float) -> None:
        """Stop them, within *timeout* seconds."""


class Work(Component, Protocol):
    """Processes the messages of a worker's queues: a delivery, the archive, or the receipts."""

    def deliver(self, arrivals: Sequence[Arrival]) -> bool:
        """
        Process a batch, and settle each message once, from any thread and at any time.

        Returns:
            Whether the record answered. If not, the worker pauses until `record_answers`.
        """

    def hurry(self) -> None:
        """Finish soon: the worker stops."""

    def record_answers(self) -> bool:
        """Return whether the record can be written; may take as long as a write that fails."""
