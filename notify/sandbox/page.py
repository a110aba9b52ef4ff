"""The web pages: the inbox, one message, the ledger. They load nothing from other servers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import jinja2

from notify.message import Channel
from notify.sandbox.actions import buttons
from notify.sandbox.exchange import HttpAnswer, HttpRequest, as_html
from notify.sandbox.inbox import Inbox, Message
from notify.sandbox.ledger import SandboxLedger
from notify.sandbox.posting import PostEntry, Poster
from notify.segments import beyond_gsm7, segments

SHOWN = 200
"""The most messages or entries on a page."""

# The frame with a message's HTML inherits this: no scripts, and no images that report a reader.
# HTML mail needs inline styles.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src data:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    # Not no-referrer: a browser would then hide the origin of this page's own forms.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_ASSETS = {"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8"}


def environment() -> jinja2.Environment:
    """Return the environment with the pages' templates."""
    pages = jinja2.Environment(
        loader=jinja2.PackageLoader("notify.sandbox", "pages"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters |= {"segments": segments, "beyond_gsm7": beyond_gsm7}
    return pages


@dataclass(frozen=True, slots=True)
class Page:
    """
    Renders the pages.

    Args:
        inbox: The accepted messages.
        ledger: The effect of each request, and its answer.
        templates: From `environment()`.
        poster: Posts the later events; None if it posts none.
    """

    inbox: Inbox
    ledger: SandboxLedger
    templates: jinja2.Environment
    poster: Poster | None = None

    def list(self, request: HttpRequest) -> HttpAnswer:
        """Show the newest messages; by channel, or by words."""
        channel, words = request.arguments.get("channel", ""), request.arguments.get("q", "")
        messages = self.inbox.find(channel=channel, text=words.strip(), limit=SHOWN)
        return self._render(
            "inbox.html.j2",
            messages=messages,
            total=len(self.inbox),
            channel=channel,
            channels=list(Channel),
            words=words,
            counts=self.ledger.counts(),
        )

    def message(self, request: HttpRequest) -> HttpAnswer:
        """Show one message."""
        message = self.inbox.get(request.groups["message"])
        if message is None:
            return self._render("gone.html.j2", status=404)
        entries = [
            entry
            for entry in self.ledger.entries(notify_id=message.notify_id, limit=SHOWN)
            if message.notify_id or entry.provider_id == message.provider_id
        ]
        return self._render(
            "message.html.j2",
            message=message,
            details=json.dumps(message.details, indent=2, ensure_ascii=False),
            entries=entries,
            posts=self._posts(message),
            buttons=buttons(message, self.poster),
            pages=self._pages(),
        )

    def entries(self, request: HttpRequest) -> HttpAnswer:  # noqa: ARG002 - a route's signature
        """Show the newest entries of the ledger."""
        entries = self.ledger.entries(limit=SHOWN)
        return self._render(
            "ledger.html.j2",
            entries=entries,
            posts=self.poster.ledger.entries(limit=SHOWN) if self.poster else None,
            counts=self.ledger.counts(),
            pages=self._pages(),
        )

    def asset(self, request: HttpRequest) -> HttpAnswer:
        """Serve the style or the script."""
        name = request.groups["asset"]
        body = (files("notify.sandbox") / "pages" / name).read_bytes()
        return HttpAnswer(200, body, {**_HEADERS, "Content-Type": _ASSETS[name]})

    def _pages(self) -> dict[tuple[str, str], str]:
        """Return each message's id in the inbox, by its vendor's id and its recipient."""
        return {(message.provider_id, message.to): message.id for message in self.inbox}

    def _posts(self, message: Message) -> Sequence[PostEntry] | None:
        """Return the posted events of one message, newest first; None if none are posted."""
        if self.poster is None:
            return None
        return [
            entry
            for entry in self.poster.ledger.entries(notify_id=message.notify_id)
            if (entry.provider_id, entry.recipient) == (message.provider_id, message.to)
        ][:SHOWN]

    def _render(self, template: str, *, status: int = 200, **values: Any) -> HttpAnswer:
        text = self.templates.get_template(template).render(values)
        return as_html(status, text, _HEADERS)
