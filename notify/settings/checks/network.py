"""Data that others could read or forge on the network to the broker and the database."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from urllib.parse import parse_qs, urlsplit

from notify.settings.checks.finding import ConfigFinding, shown_key
from notify.settings.model import Settings
from notify.settings.sources import Tree

_VERIFIED = "verify-full"
_PROXIES = frozenset({"all_proxy", "http_proxy", "https_proxy"})


def unused_proxies(environ: Mapping[str, str]) -> Iterator[ConfigFinding]:
    """Yield the variables that name a proxy, since providers are called without one."""
    for name in sorted(environ):
        if name.lower() in _PROXIES and environ[name]:
            text = "is not used for providers, which are called directly; see `base_url` in"
            yield ConfigFinding(name, f"{text} docs/configuration.md")


def unprotected(
    settings: Settings, tree: Tree, *, environ: Mapping[str, str] = os.environ
) -> Iterator[ConfigFinding]:
    """Yield what is unprotected on the way to other machines; this machine itself needs no TLS."""
    if not _local(urlsplit(settings.amqp.url.get_secret_value()).hostname):
        if not settings.amqp.tls:
            text = (
                "the password and all messages are sent unencrypted; set amqp.tls = true and"
                " the broker's TLS port in amqp.url"
            )
            yield ConfigFinding(shown_key(("amqp", "tls"), tree), text)
        if not settings.contract.require_user_id:
            text = (
                "any publisher may use any source's name, unless the broker's topic permissions"
                " forbid it; create a user for each source (`notify topology export`), and set it"
                " to true"
            )
            yield ConfigFinding(shown_key(("contract", "require_user_id"), tree), text)
    if not _verified(settings.store.url.get_secret_value(), environ):
        text = (
            f"the database's certificate is not checked; add ?sslmode={_VERIFIED} and"
            " &sslrootcert=/path/to/ca.pem (or =system)"
        )
        yield ConfigFinding(shown_key(("store", "url"), tree), text)
    yield from _open_api(settings, tree)


def _open_api(settings: Settings, tree: Tree) -> Iterator[ConfigFinding]:
    if settings.api.cert_file is None and not _local(settings.api.listen):
        text = (
            "keys and messages of `notify web api` cross the network unencrypted; listen on"
            " 127.0.0.1 behind a reverse proxy with TLS, or set api.cert_file and api.key_file"
        )
        yield ConfigFinding(shown_key(("api", "listen"), tree), text)


def _verified(url: str, environ: Mapping[str, str]) -> bool:
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return True
    options = parse_qs(parts.query)
    hosts = options.get("host", [parts.hostname or environ.get("PGHOST", "")])
    mode = options.get("sslmode", [environ.get("PGSSLMODE", "")])[-1]
    return mode == _VERIFIED or all(_local(host) for host in hosts)


def _local(host: str | None) -> bool:
    """Whether a host is this machine: by loopback, or by a socket in the file system."""
    if not host or host == "localhost" or host.startswith("/"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
