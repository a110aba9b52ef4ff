"""
Twilio: sending SMS, and reading its status callbacks.

Not here: anything that another vendor's provider uses (`_shared`).
"""

from providers.twilio.provider import Twilio
from providers.twilio.receipts import TwilioReceipts

__all__ = ["Twilio", "TwilioReceipts"]
