"""The options of named senders: From, Reply-To, the sender of SMS, and who may use it."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from notify.channels import email_address, turns_direction
from notify.message import SmsSender, SmsSenderKind
from notify.settings.flow import CountryTable
from notify.settings.words import Section, SourceName, listed

_SERVICE = re.compile(r"MG[0-9a-f]{32}")
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}|[1-9][0-9]{2,7}")
# What GSM networks display: https://www.twilio.com/docs/glossary/what-alphanumeric-sender-id
_LETTERS = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9](?:[A-Za-z0-9 &+_-]{0,9}[A-Za-z0-9])?")


def _address(text: str) -> str:
    try:
        return email_address(text)
    except PydanticCustomError:
        raise ValueError("must be a bare address such as news@example.com") from None


def _plain_line(text: str) -> str:
    if not text.isprintable() or turns_direction(text):
        raise ValueError("must be one plain line, without control characters or overrides")
    return text


def _sms(text: str) -> str:
    if not any(form.fullmatch(text) for form in (_SERVICE, _NUMBER, _LETTERS)):
        raise ValueError(
            "must be a number (+4915112345678), a short code, up to 11 letters and digits with a"
            " letter, or a Twilio messaging service (MG...)"
        )
    return text


def sms_sender(text: str) -> SmsSender:
    """Return a valid sender of SMS with its kind."""
    if _SERVICE.fullmatch(text):
        return SmsSender(text, SmsSenderKind.MESSAGING_SERVICE)
    if _NUMBER.fullmatch(text):
        return SmsSender(text, SmsSenderKind.NUMBER)
    return SmsSender(text, SmsSenderKind.ALPHANUMERIC)


MailAddress = Annotated[str, AfterValidator(_address)]
PlainLine = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_plain_line)]
SmsSenderText = Annotated[str, AfterValidator(_sms)]


class SenderSettings(Section):
    """
    One sender, by whose name requests and categories choose it.

    Attributes:
        address: The From address of its emails; None if it sends no email.
        name: The name shown with it.
        reply_to: The address for replies to its emails, unless the request has one.
        sms: The sender of its SMS; None if it sends no SMS, or only to `sms_countries`.
        sms_countries: By country, another sender of SMS.
        sources: The sources that may name it; all if empty.
        default_for: The sources whose requests have it if neither they nor their category name one.
    """

    address: MailAddress | None = None
    name: PlainLine | None = None
    reply_to: MailAddress | None = None
    sms: SmsSenderText | None = None
    sms_countries: CountryTable[SmsSenderText] = Field(default_factory=dict)
    sources: Annotated[list[SourceName], BeforeValidator(listed)] = Field(default_factory=list)
    default_for: Annotated[list[SourceName], BeforeValidator(listed)] = Field(default_factory=list)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.address is None and (self.name or self.reply_to):
            raise ValueError("`name` and `reply_to` have no effect without `address`; add it")
        if not (self.address or self.sms or self.sms_countries):
            raise ValueError("has neither `address` nor `sms`; add one")
        return self
