"""Serving metrics and probes over HTTP, in threads of its own."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

import structlog

from notify.telemetry.metrics import Metrics

AT_ONCE = 16
"""Most connections at a time; another one ends the oldest, so that a probe is always answered."""
CLIENT_TIMEOUT = 5.0
"""Seconds in which a client must send its request and read the answer."""

_TEXT = "text/plain; charset=utf-8"
_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"

log = structlog.get_logger("notify.metrics")


class MetricsServer:
    """
    Answers GET of /metrics, /livez and /readyz only.

    Work does not depend on it: if its port is in use, it logs a warning and serves nothing.
    """

    def __init__(
        self,
        metrics: Metrics,
        *,
        listen: str,
        port: int,
        alive: Callable[[], bool],
        unready: Callable[[], str | None],
        remark: Callable[[], str | None] = lambda: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Prepare the server; `start` opens its port.

        Args:
            listen: The IP address to listen on.
            alive: Returns whether the event loop turns.
            unready: Returns in a word why the process cannot work now; None if it can.
            remark: Returns the second line of /readyz; None if it has none.
            monotonic: The clock of `CLIENT_TIMEOUT`.
        """
        self._metrics = metrics
        self._address = (listen, port)
        self._alive = alive
        self._unready = unready
        self._remark = remark
        self._monotonic = monotonic
        self._http: _Http | None = None

    @property
    def port(self) -> int | None:
        """The port in use; None while nothing is served."""
        return self._http.server_address[1] if self._http else None

    def start(self) -> None:
        """Begin to serve, or log why not."""
        listen, port = self._address
        try:
            self._http = _Http(self._address, self._answer, self._monotonic)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            log.warning("notify.metrics_unserved", listen=listen, port=port, reason=reason)
            return
        threading.Thread(target=self._http.serve_forever, name="metrics", daemon=True).start()
        log.info("notify.metrics_served", listen=listen, port=self.port)

    def stop(self, *, timeout: float) -> None:  # noqa: ARG002 - as every component is stopped
        """Stop serving."""
        http, self._http = self._http, None
        if http is not None:
            http.shutdown()
            http.server_close()

    def _answer(self, path: str) -> tuple[HTTPStatus, str, bytes]:
        match path.partition("?")[0]:
            case "/metrics":
                return HTTPStatus.OK, _PROMETHEUS, self._metrics.text()
            case "/livez":
                return _word(None if self._alive() else "loop_hangs")
            case "/readyz":
                return _word(self._unready(), self._remark())
        return HTTPStatus.NOT_FOUND, _TEXT, b"see /metrics, /livez, /readyz\n"


def _word(trouble: str | None, remark: str | None = None) -> tuple[HTTPStatus, str, bytes]:
    status = HTTPStatus.OK if trouble is None else HTTPStatus.SERVICE_UNAVAILABLE
    lines = [trouble or "ok", *([remark] if remark else [])]
    return status, _TEXT, "".join(f"{line}\n" for line in lines).encode()


class _Http(ThreadingHTTPServer):
    """A server with few connections at a time, each for a short time; it never reads a body."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(
        self,
        address: tuple[str, int],
        answer: Callable[[str], tuple[HTTPStatus, str, bytes]],
        monotonic: Callable[[], float],
    ) -> None:
        self.answer = answer
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._monotonic = monotonic
        self._open: dict[socket.socket, float] = {}  # the oldest first
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind, without a query for the address's name: the name server may be away."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread; end the oldest connection if there are too many."""
        with self._lock:
            if len(self._open) >= AT_ONCE:
                self._end(next(iter(self._open)))
            self._open[request] = self._monotonic()
        super().process_request(request, client_address)

    def service_actions(self) -> None:
        """End the connections past their timeout; called twice a second."""
        with self._lock:
            for request, begun in list(self._open.items()):
                if self._monotonic() - begun > CLIENT_TIMEOUT:
                    self._end(request)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection that was answered."""
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def _end(self, request: socket.socket) -> None:
        """Wake the thread that waits for the client, which closes the socket."""
        del self._open[request]
        with suppress(OSError):
            request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect early."""


class _Handler(BaseHTTPRequestHandler):
    server: _Http

    def do_GET(self) -> None:
        """Answer one request."""
        status, kind, body = self.server.answer(self.path)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        """Return no version."""
        return "notify"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Log no request: there is one every few seconds."""
