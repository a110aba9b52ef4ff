"""The values of `Host` that the sandbox accepts.

A page on the Internet can make its own name resolve to 127.0.0.1 (DNS rebinding); the browser then
lets its scripts read the sandbox. Such requests have the page's name as `Host`.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Collection
from ipaddress import ip_address

_HOST = re.compile(r"(\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+))(:[0-9]{0,5})?")


class Hosts:
    """
    Distinguishes requests to the sandbox from those of rebound pages.

    Args:
        names: Accepted names and addresses, besides those of the loopback and of the machine.
    """

    def __init__(self, names: Collection[str] = ()) -> None:
        own = {"localhost", socket.gethostname(), *names}
        self._own = frozenset(name.lower().rstrip(".") for name in own if name)

    def allow(self, host: str, *, local: str) -> bool:
        """Whether a `Host` is the sandbox's.

        Args:
            host: The client's value, with or without a port.
            local: The address on which its connection was accepted.
        """
        match = _HOST.fullmatch(host.strip().lower())
        if match is None:
            return False
        name = match["ipv6"] or match["name"]
        try:
            address = ip_address(name)
        except ValueError:
            return name.removesuffix(".") in self._own
        return address.is_loopback or address == _address(local) or name in self._own


def _address(local: str) -> object:
    address = ip_address(local.partition("%")[0])
    # A socket for both families has IPv4 addresses as ::ffff:127.0.0.1.
    return getattr(address, "ipv4_mapped", None) or address
