"""The console: its address, and how its users sign in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from notify.settings.metrics import Port, address
from notify.settings.words import SecretName, Section

RoleName = Literal["viewer", "operator", "admin"]
ClaimRoles = dict[str, RoleName]
"""By a claim's exact value, such as a group's name: the role of its users."""


def _origin(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ValueError(
            "must be the address in the operators' browsers, such as https://notify.example.com"
        )
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("the console needs a host of its own: remove the path")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _https(url: str) -> str:
    if urlsplit(url).scheme != "https" and urlsplit(url).hostname not in ("127.0.0.1", "::1"):
        raise ValueError("must begin with https://")
    return url.rstrip("/")


def _header(name: str) -> str:
    if not name.isascii() or not name.replace("-", "").isalnum():
        raise ValueError("must be a header's name, such as Remote-User")
    return name.lower()


class OidcSettings(Section):
    """
    Single sign-on by OpenID Connect, with the authorization code flow and PKCE.

    Attributes:
        issuer: The identity provider; its discovery document is below it.
        claim: The claim with a user's groups.
        roles: By a group's exact name: the role.
        name_claim: The claim that names the user in the audit.
        scopes: Requested beside `openid`.
    """

    issuer: Annotated[str, AfterValidator(_https)]
    client_id: Annotated[str, Field(min_length=1)]
    client_secret: SecretName
    claim: Annotated[str, Field(min_length=1)] = "groups"
    roles: Annotated[ClaimRoles, Field(min_length=1)]
    name_claim: Annotated[str, Field(min_length=1)] = "email"
    scopes: Annotated[str, Field(pattern=r"^[A-Za-z0-9_. :/-]*$")] = "email profile"


class ProxySettings(Section):
    """
    Sign-in by a reverse proxy, which is the only client of a Unix socket.

    Attributes:
        socket: The socket to listen on, instead of an address and a port.
        user_header: The header with the user's name.
        groups_header: The header with the user's groups, separated by commas.
        roles: By a group's exact name: the role.
    """

    socket: Path
    user_header: Annotated[str, AfterValidator(_header)] = "remote-user"
    groups_header: Annotated[str, AfterValidator(_header)] = "remote-groups"
    roles: Annotated[ClaimRoles, Field(min_length=1)]


class ConsoleSettings(Section):
    """
    The console for operators.

    Attributes:
        public_url: The address in the operators' browsers; needed beyond this machine.
        listen: An address of this machine.
        port: Its port.
        oidc: Single sign-on; None without.
        proxy: Sign-in by a reverse proxy; None without.
    """

    public_url: Annotated[str, AfterValidator(_origin)] | None = None
    listen: Annotated[str, AfterValidator(address)] = "127.0.0.1"
    port: Port = 8490
    oidc: OidcSettings | None = None
    proxy: ProxySettings | None = None
