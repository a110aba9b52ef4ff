"""One HTTP exchange as values: a request, its answer, and how the answer reaches the client."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What a client asked."""

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
        """The query, decoded; the last of several values counts."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        """The body as an HTML form; the last of several values counts."""
        text = self.body.decode("utf-8", "replace")
        return dict(parse_qsl(text, keep_blank_values=True))

    @property
    def prefix(self) -> str:
        """What stands before the vendor's own path, without slashes; empty if nothing does."""
        return self.groups.get("prefix") or ""

    @property
    def bearer(self) -> str:
        """The bearer token, or an empty string."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What the server says."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class ExchangeEnd(enum.StrEnum):
    """How an exchange ends."""

    ANSWER = "answer"
    RESET = "reset"
    HANG = "hang"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer and how it reaches the client."""

    answer: HttpAnswer
    ending: ExchangeEnd = ExchangeEnd.ANSWER
    delay: float = 0.0
    """Seconds to wait first."""


class RequestRefused(Exception):
    """A request that a vendor turns down before it looks at the recipient."""

    def __init__(self, answer: HttpAnswer) -> None:
        super().__init__(f"HTTP {answer.status}")
        self.answer = answer


def as_json(status: int, value: Any, headers: Mapping[str, str] | None = None) -> HttpAnswer:
    """Answer with a JSON document."""
    body = json.dumps(value, ensure_ascii=False).encode()
    return HttpAnswer(status, body, {"Content-Type": "application/json", **(headers or {})})


def as_html(status: int, text: str, headers: Mapping[str, str] | None = None) -> HttpAnswer:
    """Answer with an HTML page."""
    return HttpAnswer(
        status, text.encode(), {"Content-Type": "text/html; charset=utf-8", **(headers or {})}
    )


def bad_gateway() -> HttpAnswer:
    """What a proxy says when the vendor behind it is gone."""
    return as_html(502, "<html><head><title>502</title></head><body>Bad Gateway</body></html>\n")


def not_the_vendor(status: int) -> HttpAnswer:
    """A stranger's page under the status of success, as captive portals serve it."""
    return as_html(status, "<html><body>Welcome! Please sign in to the network.</body></html>\n")
