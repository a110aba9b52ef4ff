"""The channels that there are."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from notify.channels.definition import ChannelDefinition
from notify.channels.email import EmailChannel
from notify.channels.push import PushChannel
from notify.channels.sms import SmsChannel
from notify.message import Channel

CHANNELS: Mapping[Channel, ChannelDefinition] = MappingProxyType(
    {each.channel: each for each in (EmailChannel(), SmsChannel(), PushChannel())}
)
"""Each channel's definition, in the order of `Channel`."""
