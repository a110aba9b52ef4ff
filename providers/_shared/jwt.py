"""JSON Web Tokens signed with ES256 (RFC 7515, RFC 7518 section 3.4), for push services."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

_HALF = 32
"""Bytes of each of the two numbers of a signature on P-256."""


def p256_key(pem: str) -> ec.EllipticCurvePrivateKey | None:
    """Return the private key on P-256 in PEM text; None if it is anything else."""
    try:
        # A line break may come as the two characters \\n, where a secret has one line.
        key = load_pem_private_key(pem.replace("\\n", "\n").encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    is_p256 = isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp256r1"
    return key if is_p256 and isinstance(key, ec.EllipticCurvePrivateKey) else None


def base64url(value: bytes) -> str:
    """Return bytes in URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def signed_token(
    key: ec.EllipticCurvePrivateKey, *, header: Mapping[str, str], claims: Mapping[str, object]
) -> str:
    """
    Return a token.

    The signature is deterministic (RFC 6979): all processes with one key make the same token of the
    same claims.
    """
    parts = ({"alg": "ES256", **header}, claims)
    text = ".".join(base64url(json.dumps(each, separators=(",", ":")).encode()) for each in parts)
    algorithm = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    r, s = decode_dss_signature(key.sign(text.encode(), algorithm))
    return f"{text}.{base64url(r.to_bytes(_HALF, 'big') + s.to_bytes(_HALF, 'big'))}"
