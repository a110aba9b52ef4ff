"""One HTTP exchange as values: a request, its answer, and how the exchange ends."""

from __future__ import annotations

import base64
import binascii
import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request of a client."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    """By lower-case name."""
    body: bytes = b""
    groups: Mapping[str, str] = field(default_factory=dict)
    """The named parts of the path, such as Twilio's account."""

    @property
    def arguments(self) -> dict[str, str]:
        """The decoded query; of several values, the last."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        """The body as an HTML form; of several values, the last."""
        text = self.body.decode("utf-8", "replace")
        return dict(parse_qsl(text, keep_blank_values=True))

    @property
    def credentials(self) -> tuple[str, str]:
        """User and password of Basic authentication; empty without."""
        scheme, _, encoded = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return "", ""
        try:
            user, _, password = base64.b64decode(encoded).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return user, password

    @property
    def prefix(self) -> str:
        """The path before the vendor's own path, without slashes, or an empty string."""
        return self.groups.get("prefix") or ""

    @property
    def bearer(self) -> str:
        """The bearer token, or an empty string."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """The server's answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    refused: bool = False
    """Whether the body refuses what the status accepts."""


class ExchangeEnd(enum.StrEnum):
    """How an exchange ends."""

    ANSWER = "answer"
    RESET = "reset"
    HANG = "hang"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, and how and when it is sent."""

    answer: HttpAnswer
    ending: ExchangeEnd = ExchangeEnd.ANSWER
    delay: float = 0.0
    """Seconds to wait first."""


class RequestRefused(Exception):
    """A vendor refuses a request before it reads the recipient."""

    def __init__(self, answer: HttpAnswer) -> None:
        super().__init__(f"HTTP {answer.status}")
        self.answer = answer


def as_json(status: int, value: Any, headers: Mapping[str, str] | None = None) -> HttpAnswer:
    """Return an answer with a JSON document."""
    body = json.dumps(value, ensure_ascii=False).encode()
    return HttpAnswer(status, body, {"Content-Type": "application/json", **(headers or {})})


def as_html(status: int, text: str, headers: Mapping[str, str] | None = None) -> HttpAnswer:
    """Return an answer with an HTML page."""
    return HttpAnswer(
        status, text.encode(), {"Content-Type": "text/html; charset=utf-8", **(headers or {})}
    )


def bad_gateway() -> HttpAnswer:
    """Return a proxy's answer when the vendor behind it is down."""
    return as_html(502, "<html><head><title>502</title></head><body>Bad Gateway</body></html>\n")


def not_the_vendor(status: int) -> HttpAnswer:
    """Return a page of another server with the status of success, as captive portals serve it."""
    return as_html(status, "<html><body>Welcome! Please sign in to the network.</body></html>\n")
