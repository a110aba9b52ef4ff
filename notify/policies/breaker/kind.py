"""What the end of a call says about the provider, in one word."""

from __future__ import annotations

import enum

from notify.errors import (
    OutcomeUnknown,
    PermanentError,
    ProviderError,
    Throttled,
    TransientError,
    Unauthorized,
)


class Kind(enum.StrEnum):
    """What the end of a call says about the provider."""

    SUCCESS = "success"
    FAILURE = "failure"
    """It broke, or nobody knows what it did."""
    UNREACHABLE = "unreachable"
    """A failure to connect."""
    NEUTRAL = "neutral"
    """It works: the recipient was at fault, or we were too fast."""
    FATAL = "fatal"
    """It refuses our key or account: no call can work until someone mends that."""


def kind_of(error: BaseException | None) -> Kind | None:
    """
    Tell what the end of a call says about the provider.

    Args:
        error: What the call raised; None where the provider took the message.

    Returns:
        None where it says nothing, since the call was cut off: the leave for it is to be released.
    """
    match error:
        case None:
            return Kind.SUCCESS
        case Unauthorized():
            return Kind.FATAL
        case Throttled() | PermanentError():
            return Kind.NEUTRAL
        case TransientError(status=None):
            return Kind.UNREACHABLE
        case TransientError() | OutcomeUnknown() | ProviderError() | Exception():
            # A fault in the adapter is one as well: it may have met what it could not read.
            return Kind.FAILURE
        case _:
            return None
