"""The options of categories, the kinds of mail: sender, lanes, whether one can unsubscribe."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from notify.channels import email_address
from notify.settings.senders import PlainLine
from notify.settings.words import LaneName, Section, SourceName, listed

# RFC 2919, 3: labels of a domain's form.
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,30}")
_LIST_ID = re.compile(r"(?=.{3,254}\Z)[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+")


def _sender(text: str) -> str:
    if _NAME.fullmatch(text):
        return text
    try:
        return email_address(text)
    except PydanticCustomError:
        raise ValueError(
            "must be a name in [senders], or a bare address such as news@example.com; a name to"
            " show goes into sender_name"
        ) from None


def _list_id(text: str) -> str:
    if not _LIST_ID.fullmatch(text):
        raise ValueError(
            "must have the form of a domain of yours, such as newsletter.example.com (RFC 2919)"
        )
    return text


class CategorySettings(Section):
    """
    One category, by whose name requests choose it.

    Attributes:
        title: Its name for people, on the page where they unsubscribe; the category's name if None.
        subscription: Whether recipients can unsubscribe from it.
        sender: The sender of requests that name none: a name in `[senders]`, or the From address of
            its emails; the source's or the provider's if None.
        list_id: The identity of the list in `List-Id`; of a subscription, by default
            `<category>.<host of public_url>`.
        lanes: The lanes it may use; all if empty.
        critical: Whether it also goes to recipients with a suppression that binds not every
            category, such as a bounce.
        default_for: The sources whose requests are of this category if they name none.
    """

    title: PlainLine | None = None
    subscription: bool = False
    sender: Annotated[str, AfterValidator(_sender)] | None = None
    sender_name: PlainLine | None = None
    list_id: Annotated[str, AfterValidator(_list_id)] | None = None
    lanes: Annotated[list[LaneName], BeforeValidator(listed)] = Field(default_factory=list)
    critical: bool = False
    default_for: Annotated[list[SourceName], BeforeValidator(listed)] = Field(default_factory=list)

    @field_validator("sender_name")
    @classmethod
    def _only_with_sender(cls, name: str | None, info: ValidationInfo) -> str | None:
        if name is not None and info.data.get("sender", "") is None:
            raise ValueError("has no effect without `sender`; add it, or remove this")
        if name is not None and "@" not in info.data.get("sender", "@"):
            raise ValueError("has no effect with a named sender; set `name` there, or remove this")
        return name

    @property
    def names_sender(self) -> bool:
        """Whether `sender` is a name in `[senders]`."""
        return self.sender is not None and "@" not in self.sender
