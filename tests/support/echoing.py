"""A vendor that repeats requests in its answers, and a provider that repeats them in its errors."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import unquote_plus

from notify.message import Channel, Receipt, Rendered


class Leaky:
    """A push provider that fails with the whole message in its error, and a cause to match."""

    channel: ClassVar[Channel] = Channel.PUSH
    can_find: ClassVar[bool] = False

    def __init__(self, *, api_key: str) -> None:
        self._api_key = api_key

    def send(self, message: Rendered, /) -> Receipt:
        """Raise an error with the message in it, as no provider should."""
        cause = ValueError(f"{message} {self._api_key}")
        raise RuntimeError(f"{message!r} by {self._api_key}") from cause

    def close(self) -> None:
        """Release nothing."""


class _Echo(BaseHTTPRequestHandler):
    """Answers with the status at the end of the recipient, and with the whole request."""

    def do_POST(self) -> None:
        """Refuse the request, and repeat its text."""
        heard = unquote_plus(self.rfile.read(int(self.headers["Content-Length"])).decode())
        heard += str(self.headers)
        found = re.search(r"\d(\d{3})(?!\d)", heard)
        status = int(found[1]) if found else 500
        told = {"code": heard, "message": heard, "more_info": heard, "status": status}
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@contextmanager
def echo() -> Iterator[str]:
    """Run the vendor; yields its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()
