"""
The channels: address, request, parts of content, cost, default rule for unknown outcomes.

A channel is one module here, one line in `table`, one member of `message.Channel`, and a provider.
Nothing else names a channel: other packages ask `CHANNELS`. Not here: reading a message
(`contract`), rendering it (`templating`), and calling a vendor (`providers/`).
"""

from notify.channels.definition import ChannelDefinition, ContentPart, ContentProblem
from notify.channels.email import email_address
from notify.channels.phone import country_of
from notify.channels.request import SHAPES, Part, Request, Strict
from notify.channels.table import CHANNELS
from notify.channels.words import Identity, Instant, Version, is_uuid, turns_direction

__all__ = [
    "CHANNELS",
    "SHAPES",
    "ChannelDefinition",
    "ContentPart",
    "ContentProblem",
    "Identity",
    "Instant",
    "Part",
    "Request",
    "Strict",
    "Version",
    "country_of",
    "email_address",
    "is_uuid",
    "turns_direction",
]
