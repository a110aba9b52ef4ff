"""
Every error of the service. The tree is the policy: its branches are what a caller may do next.

    NotifyError
    ├── ConfigError             the service cannot start as configured
    ├── MessageError            the message can never be delivered as written    → dead letters
    │   ├── DecodeError             it does not keep the contract
    │   └── TemplateError           its template is missing, broken or lacks data
    ├── PublishError            the broker did not take responsibility           → publish again
    │   ├── Unroutable              returned: no queue is bound for its key
    │   └── Unconfirmed             refused, or no confirm in time: it may have arrived
    ├── StoreError              the record could not be read or written          → wait, try again
    │   ├── StoreRefused            it refuses these values                         → try them alone
    │   ├── StoreUnfit              the database needs another setup                → change it
    │   └── Sealed                  its key is not in the keyring                   → add the key
    └── ProviderError           the provider did not take the message
        ├── TransientError          not sent, for certain; may work later        → attempt + 1
        │   ├── GroupRefused            its request failed, not the message       → send it apart
        │   ├── Throttled               the vendor's rate limit                   → slow down
        │   └── Unauthorized            our key or account, not the message      → open the circuit
        ├── PermanentError          can never work                               → rejected
        │   └── InvalidRecipient        the address is wrong or opted out
        │       ├── RecipientGone           no message will ever reach it          → suppressed
        │       └── OptedOut                it wants no more from this sender      → suppressed
        └── OutcomeUnknown          the request left, the answer was lost        → the lane's policy

No error text carries a recipient, a body, a key or a vendor's free text: those may hold personal
data. A vendor's refusal is named by its status and code.
"""

from __future__ import annotations

from datetime import datetime


class NotifyError(Exception):
    """The root of every error this service raises on purpose."""


class ConfigError(NotifyError):
    """The service cannot start as configured; the text lists each mistake by its key."""


class MessageError(NotifyError):
    """The message can never be delivered as written."""


class DecodeError(MessageError):
    """The message does not keep the contract; the text names where and why, never the value."""


class TemplateError(MessageError):
    """The template is missing or broken, or the notification lacks data that it needs."""


class PublishError(NotifyError):
    """
    The broker did not take responsibility for a message.

    Attributes:
        message_id: Which message it was.
    """

    def __init__(self, text: str, *, message_id: str) -> None:
        super().__init__(text)
        self.message_id = message_id


class Unroutable(PublishError):
    """The broker returned the message: no queue is bound for its routing key."""


class Unconfirmed(PublishError):
    """Refused, or not confirmed in time. It may have arrived: publish again with the same id."""


class StoreError(NotifyError):
    """The record could not be read or written; nothing was changed."""


class StoreRefused(StoreError):
    """The database refuses these values; a retry with the same values fails too."""


class StoreUnfit(StoreError):
    """The database answers, but its setup is unfit for the record; the text says what to change."""


class Sealed(StoreError):
    """
    The keyring cannot open a sealed value; the value itself is intact.

    Attributes:
        key: The name of the key that sealed it.
    """

    def __init__(self, text: str, *, key: str) -> None:
        super().__init__(text)
        self.key = key


class ProviderError(NotifyError):
    """
    The provider did not take the message.

    Attributes:
        provider: The provider's name in the configuration, such as `sendgrid`.
        status: The HTTP status, or None where no answer came.
        code: The vendor's own error code, or None.
        retry_after: Seconds the vendor asks to wait, or None.
    """

    def __init__(
        self,
        text: str,
        *,
        provider: str,
        status: int | None = None,
        code: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(text)
        self.provider = provider
        self.status = status
        self.code = code
        self.retry_after = retry_after


class TransientError(ProviderError):
    """Certainly not sent; the same message may work later or elsewhere."""


class GroupRefused(TransientError):
    """Not sent because of its request, which was too large or had a refused message beside it."""


class Throttled(TransientError):
    """The vendor's rate limit: certainly not sent, and no fault of the message."""


class Unauthorized(TransientError):
    """Our key, account or sender was refused: no message passes until an operator fixes it."""


class PermanentError(ProviderError):
    """The provider will never accept this message."""


class InvalidRecipient(PermanentError):
    """The recipient does not exist, cannot be reached, or has opted out."""


class RecipientGone(InvalidRecipient):
    """
    The recipient does not exist any more: a later message would fail too.

    Attributes:
        since: When the vendor noticed it; None if it does not say.
    """

    since: datetime | None = None


class OptedOut(InvalidRecipient):
    """The recipient opted out of messages from this sender."""


class OutcomeUnknown(ProviderError):
    """The request left and no trustworthy answer came back: it may have been sent."""
