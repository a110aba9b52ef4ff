"""The signature of SendGrid's Event Webhook: ECDSA over P-256 with SHA-256."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from notify.errors import ConfigError
from notify.receipt import Forged, Posted

SIGNATURE = "x-twilio-email-event-webhook-signature"
TIMESTAMP = "x-twilio-email-event-webhook-timestamp"

_LONGEST = 200


def public_key(text: str) -> ec.EllipticCurvePublicKey:
    """
    Return a verification key from SendGrid's form, base64 of DER without armour.

    Raises:
        ConfigError: It is not one; the text does not contain it.
    """
    try:
        key = load_der_public_key(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ConfigError(
            "sendgrid: keys must be verification keys as SendGrid shows them, base64 without BEGIN"
        )
    return key


def verify(posted: Posted, keys: Iterable[ec.EllipticCurvePublicKey]) -> None:
    """
    Check a request's signature over time stamp and raw body with each key.

    The time stamp has no limit: SendGrid posts again for a day, and does not document whether it
    signs again. A request that is posted twice is applied once.

    Raises:
        Forged: No key verifies it.
    """
    signature, stamp = posted.headers.get(SIGNATURE, ""), posted.headers.get(TIMESTAMP, "")
    if not signature or not stamp:
        raise Forged("sendgrid: the request is not signed")
    if len(signature) > _LONGEST or len(stamp) > _LONGEST:
        raise Forged("sendgrid: the signature is too long")
    try:
        raw = base64.b64decode(signature, validate=True)
        signed = stamp.encode("latin-1") + posted.body
    except (binascii.Error, ValueError):
        raise Forged("sendgrid: the signature is malformed") from None
    for key in keys:
        try:
            key.verify(raw, signed, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            continue
        return
    raise Forged("sendgrid: no configured key verifies the signature")


def check_bearer(posted: Posted, wanted: str) -> None:
    """
    Check the access token of a request.

    Raises:
        Forged: It has another one, or none.
    """
    scheme, _, token = posted.headers.get("authorization", "").partition(" ")
    same = hmac.compare_digest(token.strip().encode("latin-1", "replace"), wanted.encode())
    if scheme.lower() != "bearer" or not same:
        raise Forged("sendgrid: the request has not the configured access token")
