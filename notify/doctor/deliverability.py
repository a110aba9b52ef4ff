"""Deliverability: sender domains in the DNS, subscriptions, and the way back for bounces."""

from __future__ import annotations

from collections.abc import Iterator

from notify.doctor import dkim_dmarc, spf
from notify.doctor.finding import Finding, fail, ok, unchecked, warn
from notify.doctor.sender_dns import DnsAway, SenderDns
from notify.message import Channel
from notify.service.categories import list_id_of
from notify.settings import Settings
from notify.settings.checks import address_of, senders_of_others

CHECK = "deliverability"
_RESERVED = (
    *("example.com", "example.net", "example.org", "example"),
    *("invalid", "local", "localhost", "test"),
)


def findings(
    settings: Settings, *, dns: SenderDns, test_domains: bool = False
) -> Iterator[Finding]:
    """
    Check each sender domain, each subscription, the webhooks of email, and the public URL.

    Args:
        dns: The resolver to ask.
        test_domains: Whether to check domains that are reserved for tests too.
    """
    domains = sender_domains(settings)
    real = [each for each in domains if test_domains or not _is_reserved(each)]
    for domain in domains:
        if domain in real:
            yield from _domain(settings, dns, domain)
        else:
            text = f"{domain} is reserved for tests and documents: no mail is delivered from it"
            yield unchecked(CHECK, text, fix="set sender to an address of your own domain")
    if real:
        yield from _webhooks(settings)
        yield from _public_url(settings)
    yield from _subscriptions(settings)


def sender_domains(settings: Settings) -> list[str]:
    """Return the domains of all From addresses, in alphabetical order."""
    if Channel.EMAIL not in settings.channels:
        return []
    senders = [*senders_of_others(settings), *_own_senders(settings)]
    return sorted({sender.rpartition("@")[2].lower() for sender in senders})


def _own_senders(settings: Settings) -> list[str]:
    addresses = [address_of(each, settings) for each in settings.categories.values()]
    return [address for address in addresses if address is not None]


def _is_reserved(domain: str) -> bool:
    return any(domain == each or domain.endswith(f".{each}") for each in _RESERVED)


def _domain(settings: Settings, dns: SenderDns, domain: str) -> Iterator[Finding]:
    options = settings.deliverability
    try:
        yield from spf.findings(
            dns.texts,
            domain,
            return_path=options.return_paths.get(domain),
            vendors=options.spf_includes,
        )
        yield from dkim_dmarc.dkim_findings(dns.texts, domain, options.dkim_selectors)
        yield from dkim_dmarc.dmarc_findings(dns.texts, domain)
    except DnsAway as error:
        fix = "check the resolver of this machine, or ask another: notify doctor --dns HOST"
        yield warn(CHECK, f"{domain} is not checked: {error}", fix=fix)


def _webhooks(settings: Settings) -> Iterator[Finding]:
    for name in settings.channels[Channel.EMAIL].providers:
        reader = settings.providers[name].receipts
        if reader is None:
            text = f"{name} reports no bounces and complaints: dead mailboxes are written to again"
            yield warn(CHECK, text, fix=f"set providers.{name}.receipts; see docs/receipts.md")
        elif not any(reader.options.values()) and not reader.secrets:
            text = f"{name}: the reports of bounces have no key to verify them"
            yield fail(CHECK, text, fix=f"add the key to providers.{name}.receipts.options")
        else:
            yield ok(CHECK, f"{name} reports bounces, with a key to verify them")


def _public_url(settings: Settings) -> Iterator[Finding]:
    url = settings.receipts.public_url
    needed = any(settings.providers[name].receipts for name in settings.providers) or any(
        each.subscription for each in settings.categories.values()
    )
    if url is not None and not url.startswith("https://"):
        text = "receipts.public_url is not https: vendors and mail clients will not use it"
        yield fail(CHECK, text, fix="put a proxy with a certificate in front, and write https://")
    elif url is None and needed:
        fix = "set receipts.public_url to the address that vendors reach"
        yield warn(CHECK, "receipts.public_url is not set", fix=fix)
    elif url is not None:
        yield ok(CHECK, "receipts.public_url is https")


def _subscriptions(settings: Settings) -> Iterator[Finding]:
    # `notify config check`, whose findings come first, has verified what they need.
    for name, category in settings.categories.items():
        if category.subscription:
            sender = address_of(category, settings) or "the provider's address"
            text = f"{name}: one click, List-Id {list_id_of(name, settings)}, from {sender}"
            yield ok(CHECK, text)
