"""The options of `notify doctor` for sender domains: what is expected in the DNS."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from notify.settings.words import Section, listed

_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")


def _domain(text: str) -> str:
    if len(text) > 253 or not all(map(_LABEL.fullmatch, text.split("."))):
        raise ValueError("is not a domain in ASCII, such as example.com")
    return text.lower()


def _selector(text: str) -> str:
    if not all(map(_LABEL.fullmatch, text.split("."))):
        raise ValueError("is not a DKIM selector, such as s1")
    return text


Domain = Annotated[str, AfterValidator(_domain)]
Selectors = Annotated[list[Annotated[str, AfterValidator(_selector)]], BeforeValidator(listed)]


class DeliverabilitySettings(Section):
    """
    The expected DNS records of sender domains.

    Attributes:
        dkim_selectors: The names of the DKIM keys below `_domainkey.<domain>`.
        spf_includes: The domains of the vendors' SPF records.
        return_paths: By sender domain, the domain of the envelope sender where the vendor uses one
            of yours; its SPF counts then.
    """

    dkim_selectors: Selectors = Field(default_factory=lambda: ["s1", "s2"])
    spf_includes: Annotated[list[Domain], BeforeValidator(listed)] = Field(
        default_factory=lambda: ["sendgrid.net"]
    )
    return_paths: dict[Domain, Domain] = Field(default_factory=dict)
