"""The body of a request to send one email, by SendGrid's own builder."""

from __future__ import annotations

import json

from sendgrid.helpers.mail import (
    ApiKeyIncludedException,
    Content,
    CustomArg,
    From,
    Header,
    Mail,
    MimeType,
    Personalization,
    SubscriptionTracking,
    To,
    TrackingSettings,
)

from notify.errors import PermanentError
from notify.message import MailSender, Rendered

_LIST_UNSUBSCRIBE = "list-unsubscribe"


def from_of(sender: MailSender) -> From:
    """Return a From; set as attributes, since its constructor would parse "Name <address>"."""
    sent_by = From()
    sent_by.email, sent_by.name = sender.address, sender.name
    return sent_by


def request_body(message: Rendered, *, sender: From, subscription_tracking: bool) -> bytes:
    """
    Return the JSON of a request.

    Args:
        sender: The From, unless the message has its own.
        subscription_tracking: Whether SendGrid adds its own unsubscribe links; never to a message
            that has a List-Unsubscribe header.

    Raises:
        PermanentError: The content begins with an API key.
    """
    mail = Mail()
    mail.from_email = sender if message.sender is None else from_of(message.sender)
    mail.subject = message.subject
    mail.add_personalization(_recipient(message))
    if any(name.lower() == _LIST_UNSUBSCRIBE for name, _ in message.headers):
        # Exactly one party may add the header, whatever the account's setting is.
        mail.tracking_settings = _tracking(enable=False)
    elif subscription_tracking:
        mail.tracking_settings = _tracking(enable=True)
    try:
        for kind, text in ((MimeType.text, message.text), (MimeType.html, message.html)):
            if text:
                mail.add_content(Content(kind, text))
    except ApiKeyIncludedException:
        text = "sendgrid: the content begins with a SendGrid API key; nothing was sent"
        raise PermanentError(text, provider="sendgrid", code="api_key_in_content") from None
    return json.dumps(mail.get(), separators=(",", ":")).encode()


def _recipient(message: Rendered) -> Personalization:
    to = To()
    to.email = message.to
    recipient = Personalization()
    recipient.add_to(to)
    # SendGrid treats custom args as not personal and keeps them: our ids only. They are repeated in
    # every event of the webhook.
    recipient.add_custom_arg(CustomArg("notify_id", str(message.notification_id)))
    recipient.add_custom_arg(CustomArg("attempt_id", str(message.attempt_id)))
    for name, value in message.headers:
        recipient.add_header(Header(name, value))
    return recipient


def _tracking(*, enable: bool) -> TrackingSettings:
    settings = TrackingSettings()
    settings.subscription_tracking = SubscriptionTracking(enable=enable)
    return settings
