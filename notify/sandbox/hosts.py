"""The names that the sandbox answers to.

A page on the Internet can have its own name resolve to 127.0.0.1 (DNS rebinding); the browser then
lets its scripts read what is served here. Such requests bear the page's name, which is not ours.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Collection
from ipaddress import ip_address

_HOST = re.compile(r"(\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+))(:[0-9]{0,5})?")


class Hosts:
    """
    Tells requests that are meant for the sandbox from those that were led here.

    Args:
        names: Names and addresses of its own, beside those of the loopback and of the machine.
    """

    def __init__(self, names: Collection[str] = ()) -> None:
        own = {"localhost", socket.gethostname(), *names}
        self._own = frozenset(name.lower().rstrip(".") for name in own if name)

    def allow(self, host: str, *, local: str) -> bool:
        """Return whether a `Host` names the sandbox.

        Args:
            host: What the client wrote, with or without a port.
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
    # A socket for both families tells IPv4 clients' addresses as ::ffff:127.0.0.1.
    return getattr(address, "ipv4_mapped", None) or address
