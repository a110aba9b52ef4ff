"""Twilio's provider. Not here: anything that another vendor's provider uses (`_shared`)."""

from providers.twilio.provider import Twilio

__all__ = ["Twilio"]
