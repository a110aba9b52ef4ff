"""
The web processes. Here is what they share: limits, guard, bodies, probes, health, server and frame.

Each face is a package of its own with its own unit and rights, such as `web.receipts`. Not here:
a face's routes, and any rule of the service (use cases decide).
"""

from notify.web.body import read_body
from notify.web.guard import WebGuard
from notify.web.health import Backends, WebHealth
from notify.web.limits import DEFAULT_WEB_LIMITS, WebLimits
from notify.web.probes import probe_routes
from notify.web.process import Address, WebFrame, web_frame

__all__ = [
    "DEFAULT_WEB_LIMITS",
    "Address",
    "Backends",
    "WebFrame",
    "WebGuard",
    "WebHealth",
    "WebLimits",
    "probe_routes",
    "read_body",
    "web_frame",
]
