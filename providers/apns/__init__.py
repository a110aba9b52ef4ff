"""
Apple Push Notification service: push over HTTP/2, with a provider token.

Not here: anything that another vendor's provider uses (`_shared`).
"""

from providers.apns.provider import Apns

__all__ = ["Apns"]
