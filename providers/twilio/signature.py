"""Twilio's signature of its requests: HMAC over the address and the sorted fields of the form."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import urlsplit

from notify.receipt import Forged, Posted

SIGNATURE = "x-twilio-signature"
SETTINGS = "x-twilio-webhooks-signature-settings"

_HASHES = {"HMAC_SHA1": "sha1", "HMAC_SHA256": "sha256"}
_PORTS = {"https": 443, "http": 80}

Fields = Sequence[tuple[str, str]]


def algorithm(settings: str) -> str:
    """Return the hash that a settings header names; SHA-1 if it names none."""
    for part in settings.split(","):
        name, _, value = part.partition("=")
        if name.strip() == "algorithm" and value.strip():
            return _HASHES.get(value.strip().upper(), "")
    return "sha1"


def verify(
    posted: Posted, fields: Fields, *, url: str, tokens: Iterable[str], keys: Iterable[str]
) -> None:
    """
    Check a request's signature with each secret.

    A request that names a shared key is signed with that key's secret, else with the auth token:
    https://www.twilio.com/docs/usage/webhooks/webhook-shared-keys

    Args:
        posted: The request.
        fields: The fields of its form.
        url: The address as Twilio knows it, with the query.
        tokens: The account's auth tokens.
        keys: The secrets of shared keys.

    Raises:
        Forged: No secret verifies it.
    """
    signature = posted.headers.get(SIGNATURE, "").encode("latin-1", "replace")
    if not signature:
        raise Forged("twilio: the request is not signed")
    settings = posted.headers.get(SETTINGS, "")
    digest = algorithm(settings)
    if not digest:
        raise Forged("twilio: the signature's algorithm is not known")
    tail = "".join(name + value for name, value in sorted(set(fields)))
    signed = [(each + tail).encode("utf-8", "surrogatepass") for each in spellings(url)]
    for secret in keys if settings else tokens:
        for text in signed:
            wanted = base64.b64encode(hmac.digest(secret.encode(), text, digest))
            if hmac.compare_digest(wanted, signature):
                return
    raise Forged("twilio: no configured secret verifies the signature")


def spellings(url: str) -> Iterator[str]:
    """Yield an address without and with its port: Twilio signs one or the other."""
    parts = urlsplit(url)
    bare = parts.netloc.rpartition(":")[0] if parts.port else parts.netloc
    yield parts._replace(netloc=bare).geturl()
    yield parts._replace(netloc=f"{bare}:{parts.port or _PORTS.get(parts.scheme, 80)}").geturl()
