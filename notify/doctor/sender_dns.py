"""Questions to the DNS about a sender domain, each bounded in time."""

from __future__ import annotations

from collections.abc import Callable

import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver

from notify.errors import NotifyError

LIFETIME = 4.0
"""Seconds for one question, with all its repetitions."""
DNS_PORT = 53


class DnsAway(NotifyError):
    """The DNS gave no answer, or not a usable one; whether a record exists is not known."""


TextLookup = Callable[[str], list[str]]
"""Returns the TXT records of a name, empty if it has none; raises `DnsAway`."""


class SenderDns:
    """
    Asks one resolver. It remembers answers, and that there was none: an absent DNS costs one wait.

    Args:
        server: The address and port of a DNS server; the system's resolver if None.
        lifetime: Seconds for one question.
    """

    def __init__(
        self, server: tuple[str, int] | None = None, *, lifetime: float = LIFETIME
    ) -> None:
        self._server = server
        self._lifetime = lifetime
        self._known: dict[str, list[str]] = {}
        self._away: str | None = None

    def texts(self, name: str) -> list[str]:
        """
        Return the TXT records of a name, each joined; empty if there are none.

        Raises:
            DnsAway: No answer in time, now or before.
        """
        if name not in self._known:
            self._known[name] = self._asked(name)
        return self._known[name]

    def _asked(self, name: str) -> list[str]:
        if self._away is not None:
            raise DnsAway(self._away)
        try:
            answer = self._resolver().resolve(
                dns.name.from_text(name), dns.rdatatype.TXT, search=False, lifetime=self._lifetime
            )
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except (dns.name.LabelTooLong, dns.name.EmptyLabel, dns.name.NameTooLong):
            return []
        except dns.resolver.NoNameservers:
            raise DnsAway(f"the DNS server cannot answer for {name}") from None
        except (dns.exception.DNSException, OSError):
            self._away = f"the DNS did not answer within {self._lifetime:g} s"
            raise DnsAway(self._away) from None
        return [b"".join(record.strings).decode(errors="replace") for record in answer]

    def _resolver(self) -> dns.resolver.Resolver:
        if self._server is None:
            return dns.resolver.Resolver()
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = [self._server[0]], self._server[1]
        return resolver
