"""The signatures of the vendors' posts."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from notify.errors import ConfigError
from notify.private import private

_FORGER = "not-the-token"


class EventKey:
    """
    The key pair that signs SendGrid's events, ECDSA on P-256.

    Attributes:
        public: The public key as SendGrid's console shows it: base64 of DER.
    """

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self._forger = ec.generate_private_key(ec.SECP256R1())
        der = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.public = base64.b64encode(der).decode()

    @classmethod
    def new(cls) -> Self:
        """Return a new key pair."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def stored(cls, path: Path) -> Self:
        """
        Return the key pair of a PEM file, which is created if it is missing.

        Raises:
            ConfigError: The file cannot be read or written, or has another kind of key.
        """
        try:
            if not path.exists():
                with open(path, "xb", opener=private) as file:
                    file.write(_pem(ec.generate_private_key(ec.SECP256R1())))
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except OSError as error:
            raise ConfigError(f"cannot use the signing key {path}: {error.strerror}") from None
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
            raise ConfigError(f"{path} has no private key on the curve P-256; name another file")
        return cls(key)

    def headers(self, body: bytes, timestamp: int, *, forged: bool) -> dict[str, str]:
        """Return the signature's headers; forged ones are made with another key."""
        key = self._forger if forged else self._key
        signature = key.sign(str(timestamp).encode() + body, ec.ECDSA(hashes.SHA256()))
        return {
            "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
            "X-Twilio-Email-Event-Webhook-Timestamp": str(timestamp),
        }


def twilio_headers(
    url: str, form: Mapping[str, str], token: str, *, forged: bool
) -> dict[str, str]:
    """Return the signature's header, over the URL and the sorted fields of the form."""
    signed = url + "".join(name + form[name] for name in sorted(form))
    secret = _FORGER if forged else token
    digest = hmac.new(secret.encode(), signed.encode(), hashlib.sha1).digest()
    return {"X-Twilio-Signature": base64.b64encode(digest).decode()}


def vonage_signed(fields: Mapping[str, str], secret: str, *, forged: bool) -> dict[str, str]:
    """Return the parameters of a webhook with their signature, HMAC-SHA256."""
    text = "".join(
        f"&{name}={fields[name].replace('&', '_').replace('=', '_')}" for name in sorted(fields)
    )
    key = (_FORGER if forged else secret).encode()
    return {**fields, "sig": hmac.new(key, text.encode(), hashlib.sha256).hexdigest().upper()}


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
