"""The options of an SMTP relay: their forms, their defaults, and the verification of TLS."""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from notify.errors import ConfigError
from providers._shared.options import wrong_texts
from providers._shared.senders import SENDER_FORMS
from providers.smtp.return_path import LONGEST_PREFIX

_PORTS = {"starttls": 587, "implicit": 465, "none": 25}
_HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:]+")
_EHLO = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f.:v]+\]")
_RETURN_PATH = re.compile(
    rf"(?=[!-~]+\Z)[^\s@<>\"(),:;\[\]\\+]{{1,{LONGEST_PREFIX}}}@([\w-]+\.)+[\w-]+"
)

_FORMS: Mapping[str, tuple[Callable[[str], object], str]] = {
    "host": (_HOST.fullmatch, "must be a host name or address alone; the port is an option"),
    **SENDER_FORMS,
    "tls": (lambda word: word in _PORTS, "must be starttls, implicit or none"),
    "ehlo_name": (_EHLO.fullmatch, "must be a host name, or an address in brackets"),
    "return_path": (
        _RETURN_PATH.fullmatch,
        f"must be a bare address with at most {LONGEST_PREFIX} characters and no + before its @,"
        " such as bounces@bounces.example.com",
    ),
    "username": (str.isascii, "must be ASCII"),
    "password": (str.isascii, "must be ASCII"),
}


def wrong_options(options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the options with which no message could be sent: the name, and what to do."""
    yield from wrong_texts(options, _FORMS)
    port = options.get("port")
    if port is not None and not (isinstance(port, int) and 0 < port < 65_536):
        yield "port", "must be a number from 1 to 65535"
    if ("username" in options) != ("password" in options):
        yield "username", "needs a password among the secrets, and a password needs it"
    if "password" in options and options.get("tls") == "none" and not _is_here(options):
        yield "tls", "must not be none with a password, which would cross the network in clear"
    if "return_path" in options and "bounce_key" not in options:
        yield "return_path", "needs the secret bounce_key, which signs it"


def _is_here(options: Mapping[str, Any]) -> bool:
    host = options.get("host")
    try:
        return host == "localhost" or ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False


def default_port(tls: str) -> int:
    """Return the usual port."""
    return _PORTS[tls]


def default_ehlo_name() -> str:
    """Return the host's name if it is a full one; else an address, which every server accepts."""
    name = socket.gethostname()
    return name if "." in name and _EHLO.fullmatch(name) else "[127.0.0.1]"


def tls_context(tls: str, ca_file: str | None) -> ssl.SSLContext | None:
    """
    Return what verifies the relay's certificate and name; None without TLS.

    Raises:
        ConfigError: The file of certificates cannot be read.
    """
    if tls == "none":
        return None
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError:
        raise ConfigError("smtp: ca_file cannot be read as certificates in PEM") from None
