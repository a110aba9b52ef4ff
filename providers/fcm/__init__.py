"""
Firebase Cloud Messaging: push through the HTTP v1 API.

Not here: anything that another vendor's provider uses (`_shared`).
"""

from providers.fcm.provider import Fcm

__all__ = ["Fcm"]
