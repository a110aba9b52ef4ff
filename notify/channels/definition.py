"""The service's view of a channel; a new channel is one subclass of `ChannelDefinition`."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from notify.channels.request import Request, Strict
from notify.message import Channel, Content, Extras, Rendered, Unknown


@dataclass(frozen=True, slots=True)
class ContentPart:
    """One part of a message's content, such as the subject of an email."""

    name: str
    """Its name in a request and in a template's file name."""
    field: str
    """The field of `Content` that holds it."""
    in_every_template: bool = True
    """Whether each template for the channel must have it."""


@dataclass(frozen=True, slots=True)
class ContentProblem:
    """A mistake in a request's content; the text never contains a value."""

    where: Sequence[str | int]
    why: str
    hint: str


class ChannelDefinition(abc.ABC):
    """
    One channel: its address, its request, the parts of its content, its cost, its default rule.

    It has no state, and there is one for each member of `Channel`, in `CHANNELS`.
    """

    channel: ClassVar[Channel]
    request: ClassVar[type[Request]]
    """The body that a producer writes; its type of `to` checks the address."""
    parts: ClassVar[Sequence[ContentPart]]
    """In the order in which they are listed; each is a field of the request."""
    complete: ClassVar[Sequence[Sequence[str]]]
    """Content without a template is complete if it has at least one part of each of these."""
    by_country: ClassVar[bool] = False
    """Whether its addresses are phone numbers, allowed and priced by country."""
    attaches: ClassVar[bool] = False
    """Whether its requests may have `attachments`, by which they may be larger."""
    inside: ClassVar[Mapping[str, type[Strict]]] = {}
    """By field of a request, the model of the objects in it."""
    refused: ClassVar[Mapping[str, str]] = {}
    """Fields that producers expect and that it refuses, each with what to do instead."""
    unit: ClassVar[str] = "messages"
    """The thing that a provider counts and charges, in the plural."""
    unknown: ClassVar[Unknown]
    """The rule for unknown outcomes, unless the configuration says otherwise."""
    examples: ClassVar[Sequence[Mapping[str, Any]]]
    """Requests for the JSON Schema."""

    @abc.abstractmethod
    def looks_like_address(self, text: str) -> bool:
        """Whether a text, right or wrong, was probably meant as an address of this channel."""

    @abc.abstractmethod
    def is_address(self, text: str) -> bool:
        """Whether a text in normal form has the form of this channel's addresses."""

    def units(self, message: Rendered) -> int:  # noqa: ARG002 - for channels that count otherwise
        """Return how many units a provider counts and charges for a message."""
        return 1

    def counted(self, content: Content) -> str | None:  # noqa: ARG002 - as above
        """Return what a provider counts of a content, in words; None if it counts messages."""
        return None

    def problems(self, request: Any) -> Iterator[ContentProblem]:  # noqa: ARG002 - as above
        """Yield what the types of the request's fields cannot check; *request* is a `request`."""
        yield from ()

    def extras(self, request: Any) -> Extras | None:  # noqa: ARG002 - for channels that have some
        """Return a request's own choices beside its content; None if it makes none."""
        return None

    def content(self, words: Mapping[str, str | None]) -> Content:
        """Return content made of the channel's own parts, by their names."""
        return Content(**{part.field: words.get(part.name) or "" for part in self.parts})
