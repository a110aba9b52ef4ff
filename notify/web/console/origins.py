"""Where requests may come from: their Host, and the origin of those that change something."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from notify.settings import ConsoleSettings

SAFE_METHODS = frozenset({"GET", "HEAD"})
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class Origins:
    """
    The console's own addresses.

    Attributes:
        public: The address in the operators' browsers, without a path.
        origins: The origins of the console's own pages.
        hosts: The values of Host that are answered.
    """

    public: str
    origins: frozenset[str]
    hosts: frozenset[str]

    @classmethod
    def of(cls, settings: ConsoleSettings, *, port: int) -> Origins:
        """Return the addresses of a console that listens on a port."""
        local = [f"{host}:{port}" for host in _LOOPBACK]
        if settings.public_url is None:
            origins = [f"http://{host}" for host in local]
            return cls(origins[0], frozenset(origins), frozenset(local))
        host = settings.public_url.partition("://")[2]
        # A reverse proxy may keep the browser's Host, or send its own name of this server.
        hosts = frozenset({host, *local, "localhost"})
        return cls(settings.public_url, frozenset({settings.public_url}), hosts)

    @property
    def secure(self) -> bool:
        """Whether browsers reach the console by HTTPS."""
        return self.public.startswith("https://")

    def accepts_host(self, host: str) -> bool:
        """Return whether a Host header names this console: another one is a rebound DNS name."""
        return host.lower() in self.hosts

    def may_change(self, method: str, headers: Mapping[str, str]) -> bool:
        """
        Return whether a request comes from the console's own pages, or changes nothing.

        Browsers send Sec-Fetch-Site over HTTPS and to loopback addresses. Where it is absent, the
        Origin is compared with the configured one, never with Host, which a proxy may rewrite.
        """
        if method in SAFE_METHODS:
            return True
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site in ("same-origin", "none")
        return headers.get("origin", "").lower() in self.origins
