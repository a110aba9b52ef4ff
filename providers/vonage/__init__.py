"""
Vonage: sending SMS through its SMS API, and reading its signed delivery receipts.

Not here: anything that another vendor's provider uses (`_shared`).
"""

from providers.vonage.provider import Vonage
from providers.vonage.receipts import VonageReceipts

__all__ = ["Vonage", "VonageReceipts"]
