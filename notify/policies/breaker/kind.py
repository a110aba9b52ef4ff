"""The meaning of a call's end for the provider."""

from __future__ import annotations

import enum

from notify.errors import (
    GroupRefused,
    OutcomeUnknown,
    PermanentError,
    ProviderError,
    Throttled,
    TransientError,
    Unauthorized,
)


class Kind(enum.StrEnum):
    """The meaning of a call's end for the provider."""

    SUCCESS = "success"
    FAILURE = "failure"
    """It failed, or its result is unknown."""
    UNREACHABLE = "unreachable"
    """A failure to connect."""
    NEUTRAL = "neutral"
    """It works: a recipient is wrong, or our calls were too fast or a request too large."""
    FATAL = "fatal"
    """It refuses our key or account: no call can succeed until an operator corrects that."""


def kind_of(error: BaseException | None) -> Kind | None:
    """
    Return what the end of a call says about the provider.

    Args:
        error: The error that the call raised; None if the provider accepted the message.

    Returns:
        None if it says nothing, since the call was cut off: its permit is to be released.
    """
    match error:
        case None:
            return Kind.SUCCESS
        case Unauthorized():
            return Kind.FATAL
        case GroupRefused() | Throttled() | PermanentError():
            return Kind.NEUTRAL
        case TransientError(status=None):
            return Kind.UNREACHABLE
        case TransientError() | OutcomeUnknown() | ProviderError() | Exception():
            # So is a fault in the adapter: the answer may have been one that it could not read.
            return Kind.FAILURE
        case _:
            return None
