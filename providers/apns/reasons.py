"""
Apple's reasons for a refusal, by cause.

The list is
https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns.
"""

from __future__ import annotations

from collections.abc import Mapping

from notify.errors import (
    InvalidRecipient,
    OutcomeUnknown,
    PermanentError,
    ProviderError,
    RecipientGone,
    Throttled,
    TransientError,
    Unauthorized,
)

OF_TOPIC = frozenset({"BadTopic", "MissingTopic", "TopicDisallowed"})
"""About the topic: the account's, or the one that the message names."""

_MEANINGS: Mapping[str, type[ProviderError]] = {
    # 400. A token of Apple's other environment is "bad" too: with a wrong base_url, all are. So it
    # is rejected, and not suppressed.
    "BadDeviceToken": InvalidRecipient,
    "MissingDeviceToken": InvalidRecipient,
    # Either a device of another app, or the topic is wrong, and then all are. A share of them opens
    # the circuit.
    "DeviceTokenNotForTopic": TransientError,
    "BadCollapseId": PermanentError,
    "BadExpirationDate": PermanentError,
    "BadMessageId": PermanentError,
    "BadPriority": PermanentError,
    "DuplicateHeaders": PermanentError,
    "InvalidPushType": PermanentError,
    "PayloadEmpty": PermanentError,
    "IdleTimeout": TransientError,
    "BadTopic": Unauthorized,
    "MissingTopic": Unauthorized,
    "TopicDisallowed": Unauthorized,
    # 403
    "BadCertificate": Unauthorized,
    "BadCertificateEnvironment": Unauthorized,
    "BadEnvironmentKeyIdInToken": Unauthorized,
    "Forbidden": Unauthorized,
    "InvalidProviderToken": Unauthorized,
    "MissingProviderToken": Unauthorized,
    "UnrelatedKeyIdInToken": Unauthorized,
    # Tokens are renewed in time, so this machine's clock is wrong. Another worker's may be right.
    "ExpiredProviderToken": TransientError,
    # 404 and 405: the base_url.
    "BadPath": TransientError,
    "MethodNotAllowed": TransientError,
    # 410
    "ExpiredToken": RecipientGone,
    "Unregistered": RecipientGone,
    # 413
    "PayloadTooLarge": PermanentError,
    # 429. The second is about one device: to slow down all would not help it.
    "TooManyProviderTokenUpdates": Throttled,
    "TooManyRequests": TransientError,
    # 500 and 503
    "InternalServerError": OutcomeUnknown,
    "ServiceUnavailable": TransientError,
    "Shutdown": TransientError,
}

PAUSES: Mapping[str, float] = {"TooManyProviderTokenUpdates": 60.0, "TooManyRequests": 60.0}
"""Seconds to wait after a reason, if Apple does not say how long."""


def meaning(reason: str, *, own_topic: bool) -> type[ProviderError] | None:
    """
    Return the error for a reason; None if the status decides.

    Args:
        own_topic: Whether the message named its topic: then a refused topic is its own fault.
    """
    if own_topic and reason in OF_TOPIC:
        return PermanentError
    return _MEANINGS.get(reason)
