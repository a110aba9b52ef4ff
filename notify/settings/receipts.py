"""How vendors' receipts come in: the web intake's address, and each vendor's verification keys."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from notify.settings.metrics import Port, address
from notify.settings.words import Names, Place, PlainOptions, SecretName, Section


def _public_url(url: str) -> str:
    # It becomes part of headers and of text in mails.
    if not re.fullmatch(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+", url):
        raise ValueError("contains characters that are not allowed in a URL; percent-encode them")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ValueError(
            "must be the address that vendors reach, such as https://notify.example.com"
        )
    if parts.query or parts.fragment:
        raise ValueError("nothing may follow the path; remove the ? or # and what follows it")
    return url.rstrip("/")


class ReaderSettings(Section):
    """
    How the receipts of one provider are verified: a class, its options, and its secrets.

    Attributes:
        formerly: Earlier names of the provider, under which calls are on record and vendors post.
    """

    use: Place
    options: PlainOptions = Field(default_factory=dict)
    secrets: dict[str, SecretName] = Field(default_factory=dict)
    formerly: Names = Field(default_factory=list)


class ReceiptsSettings(Section):
    """
    The web intake of receipts.

    Attributes:
        public_url: The address under which vendors and recipients reach the intake.
        lookup_after: Seconds after which a sent message without a receipt is looked up.
        lookup_rate: Look-ups a second at one provider.
        keep: Days to keep a receipt that matches no notification.
    """

    public_url: Annotated[str, AfterValidator(_public_url)] | None = None
    listen: Annotated[str, AfterValidator(address)] = "127.0.0.1"
    port: Port = 8480
    lookup_after: Annotated[float, Field(ge=60, le=86_400, allow_inf_nan=False)] = 1800
    lookup_rate: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] = 5
    keep: Annotated[float, Field(ge=1, le=3650, allow_inf_nan=False)] = 30
