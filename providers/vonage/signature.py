"""
Vonage's signature of its webhooks: HMAC over the sorted parameters.

Source: https://developer.vonage.com/getting-started/concepts/signing-messages.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping

from notify.receipt import Forged
from providers._shared.receipts import moment

SIGNATURE = "sig"
METHODS = ("sha256", "sha512")
"""Vonage's HMAC methods that are accepted; its MD5 and SHA-1 methods are not."""

OLDEST = 48 * 3600
"""Seconds for which a signature is valid: Vonage posts again for a day."""

# `&` and `=` separate the parameters in the signed text, and in names Vonage does not replace them:
# such a name could stand for several parameters.
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_SEPARATORS = str.maketrans("&=", "__")


def signed_text(fields: Mapping[str, str]) -> str:
    """
    Return the text that Vonage signs.

    Raises:
        Forged: A parameter's name is not one of Vonage's.
    """
    if not all(_NAME.fullmatch(name) for name in fields):
        raise Forged("vonage: a parameter has a name that Vonage does not use")
    return "".join(
        f"&{name}={fields[name].translate(_SEPARATORS)}"
        for name in sorted(fields)
        if name != SIGNATURE
    )


def verify(fields: Mapping[str, str], *, secrets: Iterable[str], method: str) -> None:
    """
    Check the signature of a webhook's parameters with each secret.

    Raises:
        Forged: It is unsigned, or no secret verifies it.
    """
    signature = fields.get(SIGNATURE, "").lower().encode("utf-8", "replace")
    if not signature:
        raise Forged("vonage: the request is not signed; ask Vonage to sign webhooks")
    text = signed_text(fields).encode("utf-8", "surrogatepass")
    for secret in secrets:
        if hmac.compare_digest(
            hmac.new(secret.encode(), text, method).hexdigest().encode(), signature
        ):
            return
    raise Forged("vonage: no configured secret verifies the signature")


def check_age(fields: Mapping[str, str], *, now: float) -> None:
    """
    Check when verified parameters were signed, by their time stamp in seconds since 1970.

    Without a stamp the age is not known: the signature shows that Vonage sent none.

    Raises:
        Forged: It is too long ago, so the request may be a copy.
    """
    signed_at = moment(fields.get("timestamp"))
    if signed_at is not None and now - signed_at.timestamp() > OLDEST:
        raise Forged("vonage: the request was signed more than two days ago")
