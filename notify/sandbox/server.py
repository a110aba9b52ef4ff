"""HTTP/1.1 over sockets: keep-alive, one packet an answer, and faults that no framework offers."""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any
from urllib.parse import urlsplit

from notify.sandbox.exchange import ExchangeEnd, HttpAnswer, HttpRequest, Reply, as_json
from notify.sandbox.hosts import Hosts
from notify.sandbox.site import Site

MAX_BODY = 30 * 1024 * 1024
"""Bytes; SendGrid's limit, the highest of the vendors."""

HANG_SECONDS = 120.0
"""Seconds for which an unanswered connection stays open."""


class SandboxServer(ThreadingHTTPServer):
    """
    Serves a site, one thread a connection.

    Args:
        address: Host and port; port 0 for a free one.
        site: Answers the requests.
        hosts: The accepted values of `Host`.

    Raises:
        OSError: The address cannot be listened on.
    """

    request_queue_size = 1024

    def __init__(self, address: tuple[str, int], site: Site, hosts: Hosts) -> None:
        self.site = site
        self.hosts = hosts
        self.stopping = threading.Event()
        self._connections: dict[threading.Thread, socket.socket] = {}
        super().__init__(address, Handler)

    def server_bind(self) -> None:
        """Bind without a DNS query for the machine's name."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve the connection in a thread, and register both until it ends."""
        thread = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), daemon=True
        )
        self._connections[thread] = request
        thread.start()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve the connection to its end."""
        super().process_request_thread(request, client_address)
        self._connections.pop(threading.current_thread(), None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore disconnected clients; print any other error, which is a bug."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def stop(self) -> None:
        """Stop listening, close every connection, and wait for their threads."""
        self.shutdown()
        self.stopping.set()
        for thread, connection in list(self._connections.items()):
            _hang_up(connection)
            thread.join(timeout=5)
        self.server_close()


def _is_url(target: str) -> bool:
    try:
        urlsplit(target)
    except ValueError:  # such as an unclosed bracket
        return False
    return True


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it ended by itself


class Handler(BaseHTTPRequestHandler):
    """Reads the requests of one connection and writes the answers."""

    protocol_version = "HTTP/1.1"
    server_version = "notify-sandbox"
    sys_version = ""
    wbufsize = 1 << 16
    disable_nagle_algorithm = True
    server: SandboxServer

    def __getattr__(self, name: str) -> Any:
        # The standard library calls do_GET, do_POST and so on; the site checks the method.
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Log nothing: the ledger is the record, and paths may contain personal data."""

    def _serve(self) -> None:
        size = self.headers.get("Content-Length", "0")
        if not _is_url(self.path):
            self._refuse(400, "the request's target is not a URL")
        elif not self._host_is_allowed():
            self._refuse(421, "this Host is not allowed; add it with --allow-host")
        elif "Transfer-Encoding" in self.headers or not (size.isascii() and size.isdigit()):
            self._refuse(411, "send a Content-Length")
        elif int(size) > MAX_BODY:
            self._refuse(413, f"a body may have at most {MAX_BODY} bytes")
        else:
            body = self.rfile.read(int(size)) if int(size) else b""
            if len(body) < int(size):
                self.close_connection = True  # the client disconnected before the end of the body
            else:
                self._send(self.server.site.answer(self._request(body)))

    def _host_is_allowed(self) -> bool:
        # Clients older than HTTP/1.1 send no Host; browsers always do.
        hosts = self.headers.get_all("Host", [])
        if "://" in self.path:
            hosts.append(urlsplit(self.path).netloc)
        local = str(self.connection.getsockname()[0])
        return all(self.server.hosts.allow(host, local=local) for host in hosts)

    def _request(self, body: bytes) -> HttpRequest:
        url = urlsplit(self.path)
        return HttpRequest(
            method="GET" if self.command == "HEAD" else self.command,
            path=url.path,
            query=url.query,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
        )

    def _refuse(self, status: int, text: str) -> None:
        self.close_connection = True
        self._write(as_json(status, {"error": text}))

    def _send(self, reply: Reply) -> None:
        if reply.delay:
            self.server.stopping.wait(reply.delay)
        if reply.ending is ExchangeEnd.RESET:
            self._reset()
        elif reply.ending is ExchangeEnd.HANG:
            self.server.stopping.wait(HANG_SECONDS)
            self.close_connection = True
        else:
            self._write(reply.answer)

    def _write(self, answer: HttpAnswer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _reset(self) -> None:
        # A linger time of zero makes the kernel send RST instead of FIN. The socket is detached, so
        # that the server does not shut it down first.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        os.close(self.connection.detach())
