"""VAPID (RFC 8292): a token for each push service that says who sends."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from notify.errors import ConfigError
from providers._shared.jwt import base64url, p256_key, signed_token

LIFE = 43_200
"""Seconds for which a token is valid; 24 hours are the most."""
RENEWED = 3600
"""Seconds after which a token is made again."""
MOST_ORIGINS = 64
"""Push services with kept connections and tokens: any name may precede an allowed domain."""

_SUBJECT = re.compile(r"mailto:[^\s@]+@[^\s@]+|https://[!-~]+", re.ASCII)
_RAW = re.compile(r"[A-Za-z0-9_-]{43}=?")

WRONG_SUBJECT = "must be mailto:name@example.com or an https address"


def is_subject(value: str) -> bool:
    """Whether a text is a contact for push services."""
    return _SUBJECT.fullmatch(value) is not None


class Vapid:
    """
    The identity of the sender, for many threads.

    Args:
        private_key: The key on P-256: PEM, or its 32 bytes in URL-safe base64.
        subject: The contact of the sender.
        clock: Seconds since 1970.

    Raises:
        ConfigError: The key or the contact cannot be used; the text never contains the key.
    """

    def __init__(self, private_key: str, subject: str, *, clock: Callable[[], float]) -> None:
        key = _read_key(private_key)
        if key is None:
            raise ConfigError("webpush: private_key must be a key on P-256, in PEM or base64")
        if not is_subject(subject):
            raise ConfigError(f"webpush: subject {WRONG_SUBJECT}")
        self._key = key
        self._subject = subject
        self._clock = clock
        point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.public_key = base64url(point)
        """As browsers need it, to subscribe: the `applicationServerKey`."""
        self._header = lru_cache(MOST_ORIGINS)(self._signed)

    def authorization(self, origin: str) -> str:
        """Return the header for a push service."""
        return self._header(origin, int(self._clock()) // RENEWED)

    def _signed(self, origin: str, window: int) -> str:
        claims = {"aud": origin, "exp": window * RENEWED + LIFE, "sub": self._subject}
        token = signed_token(self._key, header={"typ": "JWT"}, claims=claims)
        return f"vapid t={token}, k={self.public_key}"


def _read_key(text: str) -> ec.EllipticCurvePrivateKey | None:
    if not _RAW.fullmatch(text.strip()):
        return p256_key(text)
    number = int.from_bytes(base64.urlsafe_b64decode(text.strip().rstrip("=") + "="), "big")
    try:
        return ec.derive_private_key(number, ec.SECP256R1())
    except ValueError:
        return None
