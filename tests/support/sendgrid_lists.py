"""SendGrid's suppression lists over HTTP: pages, deletions, and a limit on requests."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

_READ = {
    "/v3/suppression/bounces": "bounces",
    "/v3/suppression/invalid_emails": "invalid_emails",
    "/v3/suppression/spam_reports": "spam_reports",
    "/v3/suppression/unsubscribes": "unsubscribes",
    "/v3/asm/suppressions": "groups",
}


@dataclass
class SendGridAccount:
    """The lists of one account, by their names, and the requests that it received."""

    url: str = ""
    lists: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    throttle: int = 0
    """How many of the next requests get the status 429."""

    def page(self, path: str, query: dict[str, list[str]]) -> list[dict[str, Any]]:
        """Return a page; group unsubscribes have no pages."""
        name = _READ[path]
        entries = self.lists.get(name, [])
        if name == "groups":
            return entries
        begin = int(query["offset"][0])
        return entries[begin : begin + int(query["limit"][0])]

    def delete(self, path: str) -> None:
        """Delete an address from the list that the path names."""
        parts = path.split("/")
        name = {"global": "unsubscribes", "suppressions": "groups"}.get(parts[-2], parts[-2])
        address = unquote(parts[-1])
        self.lists[name] = [each for each in self.lists[name] if each["email"] != address]


@contextmanager
def sendgrid_account() -> Iterator[SendGridAccount]:
    """Serve the lists of an empty account."""
    account = SendGridAccount()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            self._answer("GET", lambda: account.page(parts.path, parse_qs(parts.query)), 200)

        def do_DELETE(self) -> None:
            self._answer("DELETE", lambda: account.delete(self.path), 204)

        def _answer(self, method: str, act: Any, status: int) -> None:
            account.requests.append((method, self.path))
            throttled = account.throttle > 0
            account.throttle -= throttled
            refusal = {"errors": [{"message": "too many requests"}]}
            status, found = (429, refusal) if throttled else (status, act())
            body = json.dumps(found).encode() if status != 204 else b""
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    account.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield account
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
