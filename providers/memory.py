"""The provider that stores messages instead of sending them: for tests and development."""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import ClassVar, Self

from notify.errors import (
    InvalidRecipient,
    OutcomeUnknown,
    PermanentError,
    ProviderError,
    Throttled,
    TransientError,
    Unauthorized,
)
from notify.message import Channel, Receipt, Rendered


class ScriptedReply(enum.StrEnum):
    """The reply to a scripted recipient."""

    ACCEPTED = "accepted"
    TRANSIENT = "transient"
    THROTTLED = "throttled"
    UNAUTHORIZED = "unauthorized"
    PERMANENT = "permanent"
    INVALID = "invalid"
    UNKNOWN = "unknown"
    """The message is accepted, and the answer is lost."""
    RESET = "reset"
    """The message is not accepted, and no answer comes."""


_ERRORS: Mapping[ScriptedReply, type[ProviderError]] = {
    ScriptedReply.TRANSIENT: TransientError,
    ScriptedReply.THROTTLED: Throttled,
    ScriptedReply.UNAUTHORIZED: Unauthorized,
    ScriptedReply.PERMANENT: PermanentError,
    ScriptedReply.INVALID: InvalidRecipient,
    ScriptedReply.UNKNOWN: OutcomeUnknown,
    ScriptedReply.RESET: OutcomeUnknown,
}


class Memory:
    """
    Stores the messages that it should send; accepts all recipients without a script.

    Args:
        channel: Its channel: email, sms or push.
        script: For a recipient, its replies in order; the last one is repeated.
        retry_after: Seconds that a throttled reply asks to wait.
        clock: The time at which a message is accepted.

    Raises:
        ValueError: There is no such channel or reply.
    """

    channel: ClassVar[Channel]
    can_find: ClassVar[bool] = False

    def __new__(
        cls,
        *,
        channel: str = Channel.EMAIL,
        script: Mapping[str, Sequence[str]] | None = None,  # noqa: ARG004 - for __init__
        retry_after: float = 1.0,  # noqa: ARG004
        clock: Callable[[], datetime] | None = None,  # noqa: ARG004
    ) -> Self:
        """Build an instance of the channel's class, since a channel is an attribute of a class."""
        kinds = {kind.channel: kind for kind in (_Email, _Sms, _Push)}
        built: Self = object.__new__(kinds[Channel(channel)])  # type: ignore[assignment]
        return built

    def __init__(
        self,
        *,
        channel: str = Channel.EMAIL,  # noqa: ARG002 - for __new__
        script: Mapping[str, Sequence[str]] | None = None,
        retry_after: float = 1.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._script = {
            to: [ScriptedReply(word) for word in words] for to, words in (script or {}).items()
        }
        self._retry_after = retry_after
        self._calls: list[Rendered] = []
        self._accepted: list[tuple[datetime, Rendered]] = []
        self._clock = clock
        self._lock = threading.Lock()

    @property
    def calls(self) -> tuple[Rendered, ...]:
        """Every message passed to `send`, whatever the reply, oldest first."""
        with self._lock:
            return tuple(self._calls)

    @property
    def sent(self) -> tuple[Rendered, ...]:
        """Every accepted message, including those whose answer was lost, oldest first."""
        with self._lock:
            return tuple(message for _, message in self._accepted)

    def send(self, message: Rendered, /) -> Receipt:
        """Store the message and reply as scripted for its recipient."""
        with self._lock:
            self._calls.append(message)
            replies = self._script.get(message.to) or [ScriptedReply.ACCEPTED]
            reply = replies.pop(0) if len(replies) > 1 else replies[0]
            if reply in (ScriptedReply.ACCEPTED, ScriptedReply.UNKNOWN):
                self._accepted.append((self._clock(), message))
        if reply is ScriptedReply.ACCEPTED:
            return _receipt(message)
        raise _ERRORS[reply](
            f"memory: scripted to be {reply}",
            provider="memory",
            code=reply,
            retry_after=self._retry_after if reply is ScriptedReply.THROTTLED else None,
        )

    def find(self, message: Rendered, /, *, since: datetime, until: datetime) -> list[Receipt]:
        """Search the accepted messages; only the SMS provider can, as with real vendors."""
        if not self.can_find:
            raise NotImplementedError(f"a provider of {self.channel} cannot list accepted messages")
        with self._lock:
            return [
                _receipt(accepted)
                for at, accepted in self._accepted
                if since <= at <= until
                and (accepted.to, accepted.text) == (message.to, message.text)
            ]

    def check(self) -> None:
        """Do nothing: there is no key."""

    def close(self) -> None:
        """Do nothing; accepted messages can still be read."""


def _receipt(message: Rendered) -> Receipt:
    return Receipt(f"memory-{message.attempt_id}")


class _Email(Memory):
    channel: ClassVar[Channel] = Channel.EMAIL


class _Sms(Memory):
    channel: ClassVar[Channel] = Channel.SMS
    can_find: ClassVar[bool] = True


class _Push(Memory):
    channel: ClassVar[Channel] = Channel.PUSH
