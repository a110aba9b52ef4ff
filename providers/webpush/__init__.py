"""
Web Push (RFC 8030): push to browsers, encrypted for each (RFC 8291), with VAPID (RFC 8292).

Not here: anything that another vendor's provider uses (`_shared`).
"""

from providers.webpush.provider import WebPush

__all__ = ["WebPush"]
