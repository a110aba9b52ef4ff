"""The channel `sms`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from notify.channels.definition import ChannelDefinition, ContentPart
from notify.channels.phone import PhoneNumber, is_e164
from notify.channels.request import TO, Request, Strict, To
from notify.channels.words import SenderName
from notify.message import Channel, Content, Extras, Rendered, Unknown
from notify.segments import counted, segments


class SmsRecipient(Strict):
    """One recipient of a batch of SMS."""

    to: PhoneNumber = Field(description="The number in E.164 form.")
    data: dict[str, Any] | None = Field(default=None, description="Data for this recipient.")


class SmsRequest(Request):
    """An SMS: `template` or `text`."""

    to: To[PhoneNumber, SmsRecipient] = Field(description=TO)
    # 1,600 is the most that Twilio accepts (its error 21617), and no known gateway accepts more.
    text: Annotated[str, Field(min_length=1, max_length=1600)] | None = Field(
        default=None, description="The text."
    )
    sender: SenderName | None = Field(
        default=None,
        description=(
            "The sender, by a name that your operators define. Default: that of your source, if it"
            " has one."
        ),
        examples=["support"],
    )


class SmsChannel(ChannelDefinition):
    """SMS, counted in segments and charged by country. A possible duplicate costs money: park."""

    channel = Channel.SMS
    request = SmsRequest
    parts = (ContentPart("text", "text"),)
    complete = (("text",),)
    by_country = True
    unit = "segments"
    unknown = Unknown.PARK
    examples = (
        {
            "id": "a2b7d1de-58a5-4d4f-9a39-3c3f0d3b7c12",
            "to": "+4915112345678",
            "text": "Your code is 123456.",
            "expires_at": "2026-11-25T10:00:00Z",
        },
    )

    def looks_like_address(self, text: str) -> bool:
        """Whether it begins with three digits, brackets and spaces aside."""
        return text.lstrip("+(").replace(" ", "")[:3].isdigit()

    def is_address(self, text: str) -> bool:
        """Whether it is in E.164 form."""
        return is_e164(text)

    def extras(self, request: Any) -> Extras | None:
        """Return the sender, if it names one."""
        return None if request.sender is None else Extras(sender=request.sender)

    def units(self, message: Rendered) -> int:
        """Return the number of segments."""
        return segments(message.text)

    def counted(self, content: Content) -> str | None:
        """Return the number of segments, and why the text needs Unicode."""
        return counted(content.text)
