"""
The push services that may be called: an endpoint comes from a browser, so from anyone.

Only origins on the list are called, only at public addresses, and redirects are not followed.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util import parse_url

from notify.errors import ConfigError, TransientError
from providers._shared.transport import Transport

DEFAULT_ORIGINS = (
    "https://fcm.googleapis.com",
    "https://updates.push.services.mozilla.com",
    "https://web.push.apple.com",
    "https://*.push.apple.com",
    "https://*.notify.windows.com",
)
"""The push services of Chrome, Firefox, Safari and Edge."""

Resolve = Callable[..., Sequence[Any]]
"""As `socket.getaddrinfo`."""

_HOST = r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*|\[[0-9A-Fa-f:.]+\]"
_ORIGIN = re.compile(rf"https?://(?:\*\.)?(?:{_HOST})(?::\d{{1,5}})?", re.ASCII)
_LOOPBACK = re.compile(r"http://(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?")

WRONG = "must be origins such as https://push.example.com or https://*.example.com"


def are_origins(value: object) -> bool:
    """Whether a value is a list of allowed origins: https only, except for this machine's own."""
    if not isinstance(value, list | tuple) or not value:
        return False
    return all(
        isinstance(each, str)
        and _ORIGIN.fullmatch(each) is not None
        and (each.startswith("https://") or _LOOPBACK.fullmatch(each) is not None)
        for each in value
    )


class AllowedOrigins:
    """
    The list.

    Args:
        origins: Origins; `*.` stands for one or more labels before a domain.

    Raises:
        ConfigError: One is not an origin.
    """

    def __init__(self, origins: Iterable[str]) -> None:
        listed = list(origins)
        if not are_origins(listed):
            raise ConfigError(f"webpush: origins {WRONG}")
        lower = [each.lower() for each in listed]
        self._exact = frozenset(each for each in lower if "*" not in each)
        self._domains = tuple(each.partition("*")[::2] for each in lower if "*" in each)

    def allow(self, origin: str) -> bool:
        """Whether an origin in lower case is on the list."""
        if origin in self._exact:
            return True
        return any(
            origin.startswith(scheme) and origin.endswith(domain)
            for scheme, domain in self._domains
        )


class GuardedTransport(Transport):
    """
    A transport to one origin whose addresses are checked, and then used as they were checked.

    A name that resolves to a private address would let a browser's owner call services inside our
    network. This machine's own addresses are called only where the origin names them.
    """

    def __init__(
        self,
        origin: str,
        *,
        timeout: float,
        connect_timeout: float,
        pool: int,
        resolve: Resolve = socket.getaddrinfo,
    ) -> None:
        super().__init__(
            "webpush", origin, timeout=timeout, connect_timeout=connect_timeout, pool=pool
        )
        url = parse_url(origin)
        self._name = (url.host or "").strip("[]")
        self._number = url.port or (443 if url.scheme == "https" else 80)
        self._own = _LOOPBACK.fullmatch(origin) is not None or _is_literal(self._name)
        self._resolve = resolve

    def _new(self) -> HTTPConnection:
        address = self._name if self._own else self._address()
        if self._tls is None:
            return HTTPConnection(address, self._number, timeout=self._connect_timeout)
        return HTTPSConnection(
            address,
            self._number,
            timeout=self._connect_timeout,
            ssl_context=self._tls,
            # The name, and not the address, is in the handshake and is what the certificate proves.
            server_hostname=self._name,
        )

    def _address(self) -> str:
        """
        Return a public address of the host.

        Raises:
            TransientError: It has none, or any of its addresses is not public.
        """
        try:
            found = self._resolve(self._name, self._number, type=socket.SOCK_STREAM)
        except OSError as error:
            raise self._unsent(error) from None
        addresses = [str(each[4][0]) for each in found]
        if not addresses or not all(map(is_public, addresses)):
            text = "webpush: the push service's name has an address that is not public"
            raise TransientError(text, provider="webpush", code="address")
        return addresses[0]


def is_public(address: str) -> bool:
    """Whether an address belongs to the public internet."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        # Addresses that lead to an IPv4 address: mapped, 6to4, Teredo, NAT64.
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None or ip in _NAT64:
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
