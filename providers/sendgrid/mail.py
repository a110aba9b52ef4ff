"""One email as a request to SendGrid, by SendGrid's own builder."""

from __future__ import annotations

import json

from sendgrid.helpers.mail import (
    ApiKeyIncludedException,
    Content,
    CustomArg,
    Disposition,
    From,
    Header,
    Mail,
    MimeType,
    Personalization,
    ReplyTo,
    SubscriptionTracking,
    To,
    TrackingSettings,
    ValidateApiKey,
)
from sendgrid.helpers.mail import Attachment as BuiltAttachment

from notify.errors import PermanentError
from notify.message import Attachment, MailSender, Rendered

_LIST_UNSUBSCRIBE = "list-unsubscribe"


def built(message: Rendered, *, sender: MailSender, subscription_tracking: bool) -> str:
    """
    Return the JSON of a request.

    Args:
        message: The email. Its content must be checked before: see `refuse_keys`.
        sender: The From, unless the message has its own.
        subscription_tracking: Whether SendGrid adds its own unsubscribe links; never to a message
            that has a List-Unsubscribe header.
    """
    mail = Mail()
    mail.from_email = _from(message.sender or sender)
    mail.subject = message.subject
    mail.add_personalization(personalization(message))
    if any(name.lower() == _LIST_UNSUBSCRIBE for name, _ in message.headers):
        # Exactly one party may add the header, whatever the account's setting is.
        mail.tracking_settings = _tracking(enable=False)
    elif subscription_tracking:
        mail.tracking_settings = _tracking(enable=True)
    for kind, text in ((MimeType.text, message.text), (MimeType.html, message.html)):
        if text:
            mail.add_content(Content(kind, text))
    # The builder adds each in front of the others.
    for file in reversed(message.attachments):
        mail.add_attachment(attachment(file))
    if message.reply_to is not None:
        mail.reply_to = _reply_to(message.reply_to)
    return as_json(mail)


def personalization(message: Rendered) -> Personalization:
    """Return the part of a request that is about its recipient."""
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


def attachment(file: Attachment) -> BuiltAttachment:
    """Return the part of a request that is about one file."""
    inline = file.content_id is not None
    return BuiltAttachment(
        file_content=file.content,
        file_type=file.type,
        file_name=file.name,
        disposition=Disposition("inline" if inline else "attachment"),
        content_id=file.content_id,
    )


def as_json(part: Mail | Personalization | BuiltAttachment) -> str:
    """Return a request, or its part for one recipient or file, as it is written."""
    return json.dumps(part.get(), separators=(",", ":"))


def refuse_keys(validator: ValidateApiKey, *texts: str) -> None:
    """
    Check content as the builder does.

    Raises:
        PermanentError: A text begins with an API key.
    """
    try:
        for text in texts:
            validator.validate_message_dict(text)
    except ApiKeyIncludedException:
        text = "sendgrid: the content begins with a SendGrid API key; nothing was sent"
        raise PermanentError(text, provider="sendgrid", code="api_key_in_content") from None


def _from(sender: MailSender) -> From:
    """Return a From; set as attributes, since its constructor would parse "Name <address>"."""
    sent_by = From()
    sent_by.email, sent_by.name = sender.address, sender.name
    return sent_by


def _reply_to(address: str) -> ReplyTo:
    """Return a Reply-To; set as an attribute, as a From is."""
    answer_to = ReplyTo()
    answer_to.email = address
    return answer_to


def _tracking(*, enable: bool) -> TrackingSettings:
    settings = TrackingSettings()
    settings.subscription_tracking = SubscriptionTracking(enable=enable)
    return settings
