"""A browser's subscription as an address: its endpoint, and its keys in the fragment."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from cryptography.hazmat.primitives.asymmetric import ec

# Nothing that two parsers may read differently: no user, backslash, space or other alphabet.
_ENDPOINT = re.compile(
    r"(?P<origin>https?://(?:[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?)"
    r"(?P<path>/[\w.~%!$&'()*+,;=:@/?-]*)",
    re.ASCII,
)
_POINT = 65
"""Bytes of an uncompressed point on P-256."""
_AUTH = 16


@dataclass(frozen=True, slots=True)
class WebSubscription:
    """One browser's subscription."""

    origin: str
    """Scheme, host and port of the push service, in lower case."""
    path: str = field(repr=False)
    """Path and query of the endpoint."""
    key: bytes = field(repr=False)
    """The browser's public key: an uncompressed point on P-256."""
    auth: bytes = field(repr=False)
    """The secret that authenticates the message to the browser."""


def read_subscription(to: str) -> WebSubscription | None:
    """Return the subscription of an address; None if it is malformed."""
    endpoint, _, fragment = to.partition("#")
    match = _ENDPOINT.fullmatch(endpoint)
    if match is None:
        return None
    keys = parse_qs(fragment, max_num_fields=10) if fragment.count("&") < 10 else {}
    point, auth = (_bytes(keys.get(name, [""])[0]) for name in ("p256dh", "auth"))
    if len(auth) != _AUTH or not _is_point(point):
        return None
    return WebSubscription(match["origin"].lower(), match["path"], point, auth)


def _is_point(point: bytes) -> bool:
    if len(point) != _POINT:
        return False
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError:
        return False
    return True


def _bytes(text: str) -> bytes:
    """Return the bytes of base64 in either alphabet, with or without padding; none if malformed."""
    plain = text.replace(" ", "+").rstrip("=").translate(str.maketrans("+/", "-_"))
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return b""
