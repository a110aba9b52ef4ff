"""Vendors' webhooks, signed as the vendors sign them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twilio.request_validator import RequestValidator

from notify.receipt import Posted

SIGNATURE = "x-twilio-email-event-webhook-signature"
TIMESTAMP = "x-twilio-email-event-webhook-timestamp"


class SendGridSigner:
    """One Event Webhook with its key pair."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        der = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.public_key = base64.b64encode(der).decode()
        """As SendGrid shows it."""

    def headers(self, body: bytes, *, stamp: str = "1764450000") -> dict[str, str]:
        """Return the headers of a signed request."""
        signature = self._key.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))
        return {SIGNATURE: base64.b64encode(signature).decode(), TIMESTAMP: stamp}

    def posted(self, events: Any, **headers: str) -> Posted:
        """Return a signed request with events, which SendGrid ends with CRLF."""
        body = events if isinstance(events, bytes) else json.dumps(events).encode() + b"\r\n"
        return Posted(query="", headers={**self.headers(body), **headers}, body=body)


def twilio_posted(
    url: str,
    fields: Mapping[str, str] | Sequence[tuple[str, str]],
    secret: str,
    *,
    query: str = "",
    key: str = "",
) -> Posted:
    """
    Return a signed status callback.

    Args:
        url: The address that Twilio knows, without its query.
        fields: The fields of the form.
        secret: The auth token, or the secret of a shared key.
        query: The query of the address.
        key: The id of the shared key that signs with SHA-256; empty for the auth token.
    """
    whole = f"{url}?{query}" if query else url
    algorithm = "HMAC_SHA256" if key else "HMAC_SHA1"
    signed = RequestValidator(secret).compute_signature(whole, dict(fields), algorithm)
    headers = {"x-twilio-signature": signed}
    if key:
        headers["x-twilio-webhooks-signature-settings"] = f"key={key},algorithm={algorithm}"
    return Posted(query=query, headers=headers, body=urlencode(fields).encode())
