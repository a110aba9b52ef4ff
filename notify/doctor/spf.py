"""SPF (RFC 7208): one record, at most ten look-ups, and whether it includes the vendor."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from notify.doctor.finding import Finding, fail, ok, warn
from notify.doctor.sender_dns import TextLookup

CHECK = "spf"
MOST_LOOKUPS = 10
"""RFC 7208, 4.6.4: with more, a receiver ignores the record."""

_ADDRESS = re.compile(r"[+?~-]?(a|mx|ptr|exists)(?=[:/]|$)", re.IGNORECASE)
_OTHER = re.compile(r"[+?~-]?include:(?P<include>\S+)|redirect=(?P<redirect>\S+)", re.IGNORECASE)
_PASS_ALL = re.compile(r"\+?all", re.IGNORECASE)


@dataclass(slots=True)
class _Walk:
    """The records that a record includes, and the look-ups that a receiver needs for them."""

    texts: TextLookup
    lookups: int = 0
    included: set[str] = field(default_factory=set)

    def follow(self, record: str) -> None:
        for term in record.split()[1:]:
            if self.lookups > MOST_LOOKUPS:
                return
            if _ADDRESS.match(term):
                self.lookups += 1
            elif (found := _OTHER.fullmatch(term)) is not None:
                self.lookups += 1
                self._into((found["include"] or found["redirect"]).lower().rstrip("."))

    def _into(self, domain: str) -> None:
        if domain in self.included or "%" in domain:
            return
        self.included.add(domain)
        for record in records(self.texts, domain)[:1]:
            self.follow(record)


def records(texts: TextLookup, domain: str) -> list[str]:
    """Return the SPF records of a domain."""
    return [text for text in texts(domain) if re.match(r"v=spf1( |$)", text, re.IGNORECASE)]


def findings(
    texts: TextLookup, domain: str, *, return_path: str | None, vendors: Collection[str]
) -> Iterator[Finding]:
    """
    Check the SPF record that receivers look up.

    Args:
        return_path: The domain of the envelope sender, if it is configured.
        vendors: The domains of the vendors' records.

    Raises:
        DnsAway: The DNS did not answer.
    """
    checked = return_path or domain
    found = records(texts, checked)
    vendor = next(iter(vendors), "the vendor's domain")
    if len(found) != 1:
        yield _not_one(checked, len(found), vendor, at_return_path=return_path is not None)
        return
    walk = _Walk(texts)
    walk.follow(found[0])
    terms = found[0].split()[1:]
    if walk.lookups > MOST_LOOKUPS:
        text = f"{checked}: the SPF record needs more than {MOST_LOOKUPS} look-ups"
        yield fail(
            CHECK, f"{text}, so receivers ignore it", fix="remove includes that send no mail"
        )
    elif any(map(_PASS_ALL.fullmatch, terms)):
        text = f"{checked}: the SPF record permits every server (+all)"
        yield fail(CHECK, text, fix="end it with ~all or -all")
    elif not any(_within(each, vendors) for each in {checked, *walk.included}):
        text = f"{checked}: the SPF record does not include {vendor}; addresses in it may be yours"
        yield warn(CHECK, text, fix=f"add include:{vendor}, or set deliverability.return_paths")
    else:
        yield ok(CHECK, f"{checked}: one record, {walk.lookups} look-ups, includes the vendor")


def _not_one(domain: str, count: int, vendor: str, *, at_return_path: bool) -> Finding:
    if count:
        text = f"{domain} has {count} SPF records, so receivers ignore all of them"
        return fail(CHECK, text, fix="join them into one TXT record")
    record = f'a TXT record at {domain}: "v=spf1 include:{vendor} ~all"'
    if at_return_path:
        return fail(CHECK, f"{domain}, the return path, has no SPF record", fix=f"add {record}")
    text = f"{domain} has no SPF record; Gmail and Yahoo want one"
    return warn(CHECK, text, fix=f"add {record}; or set deliverability.return_paths")


def _within(domain: str, vendors: Collection[str]) -> bool:
    return any(domain == vendor or domain.endswith(f".{vendor}") for vendor in vendors)
