"""DKIM keys (RFC 6376) and the DMARC policy (RFC 7489) of a sender domain."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from notify.doctor.finding import Finding, fail, ok, warn
from notify.doctor.sender_dns import TextLookup

DKIM = "dkim"
DMARC = "dmarc"
SHORTEST_KEY = 1024
"""Bits: Gmail ignores signatures of shorter RSA keys, and recommends 2,048."""
_POLICIES = ("none", "quarantine", "reject")


def dkim_findings(texts: TextLookup, domain: str, selectors: Sequence[str]) -> Iterator[Finding]:
    """
    Check the keys below a From domain; such a key also aligns the mail with DMARC.

    Raises:
        DnsAway: The DNS did not answer.
    """
    problems = {each: _key_problem(texts(f"{each}._domainkey.{domain}")) for each in selectors}
    good = [each for each, problem in problems.items() if problem is None]
    publish = "publish the CNAME or TXT records that the vendor shows for the domain"
    for selector, problem in problems.items():
        if problem is not None:
            text = f"{selector}._domainkey.{domain} {problem}"
            # One good key signs; vendors keep a second one for the change of keys.
            yield (warn if good else fail)(DKIM, text, fix=publish)
    if good:
        yield ok(DKIM, f"{domain}: keys {', '.join(good)}, aligned with its From addresses")


def _key_problem(found: Sequence[str]) -> str | None:
    """Return the reason why a selector's records are not a usable key; None if they are."""
    keys = [tags for text in found if "p" in (tags := _tags(text))]
    if not keys:
        return "has no DKIM key"
    if len(keys) > 1:
        return "has several DKIM keys, and a receiver may read any of them"
    key = keys[0]["p"].replace(" ", "")
    if not key:
        return "has a revoked DKIM key (p= is empty)"
    if keys[0].get("k", "rsa").lower() != "rsa":
        return None
    try:
        loaded = load_der_public_key(base64.b64decode(key, validate=True))
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        return "has a DKIM key that cannot be read"
    if isinstance(loaded, RSAPublicKey) and loaded.key_size < SHORTEST_KEY:
        return f"has a DKIM key of {loaded.key_size} bits, which receivers ignore"
    return None


def dmarc_findings(texts: TextLookup, domain: str) -> Iterator[Finding]:
    """
    Check the policy that applies to a From domain: its own, or that of the nearest domain above.

    Raises:
        DnsAway: The DNS did not answer.
    """
    at, found = _policy_records(texts, domain)
    add = f'add a TXT record at _dmarc.{domain}, such as "v=DMARC1; p=none; rua=mailto:…"'
    if not found:
        text = f"{domain} has no DMARC record; Gmail and Yahoo want one from senders of bulk mail"
        yield fail(DMARC, text, fix=add)
        return
    if len(found) > 1:
        text = f"_dmarc.{at} has {len(found)} DMARC records, so receivers ignore all of them"
        yield fail(DMARC, text, fix="remove all but one")
        return
    tags = _tags(found[0])
    policy = tags.get("p", "").lower()
    if at != domain:
        policy = tags.get("sp", policy).lower()
    if policy not in _POLICIES:
        text = f"_dmarc.{at} has no policy p=none, quarantine or reject"
        yield fail(DMARC, text, fix="correct the record")
        return
    strict = [name for name in ("adkim", "aspf") if tags.get(name, "").lower() == "s"]
    notes = f", alignment strict ({' '.join(strict)})" if strict else ""
    if "rua" not in tags:
        text = f"{domain}: policy {policy}{notes}, and no reports are asked for"
        yield warn(DMARC, text, fix=f"add rua=mailto:… to _dmarc.{at}, and read the reports")
        return
    yield ok(DMARC, f"{domain}: policy {policy} at _dmarc.{at}{notes}")


def _policy_records(texts: TextLookup, domain: str) -> tuple[str, list[str]]:
    """Return the nearest domain with DMARC records, from the From domain upwards, and these."""
    labels = domain.split(".")
    for first in range(len(labels) - 1):
        at = ".".join(labels[first:])
        found = [text for text in texts(f"_dmarc.{at}") if text.startswith("v=DMARC1")]
        if found:
            return at, found
    return domain, []


def _tags(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
