"""A connection to an SMTP server: each reply bounded in time and size, commands in one write."""

from __future__ import annotations

import smtplib
import socket
import ssl
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

_READ = 4096
_LONGEST_LINE = 4096
_MOST_LINES = 100
_SHOWN = 500
"""Characters of a reply's text to keep: a status code and a queue id are in its beginning."""


class SmtpReply(NamedTuple):
    """A server's reply to one command."""

    code: int
    text: str

    @property
    def ok(self) -> bool:
        """Whether the server completed the command."""
        return 200 <= self.code < 300


class Malformed(OSError):
    """The server's reply is not one of SMTP; nothing that follows it can be trusted."""


class Refused(Exception):
    """
    The server refused a command.

    Attributes:
        stage: The command, such as `RCPT`, or `CONNECT` for its greeting.
        reply: The reply.
    """

    def __init__(self, stage: str, reply: SmtpReply) -> None:
        super().__init__(stage)
        self.stage = stage
        self.reply = reply


class SmtpConnection(smtplib.SMTP):
    """
    One connection.

    smtplib reads the server's features and speaks its ways to authenticate. Reading, writing and
    TLS are here: smtplib's time limit is for each read, so that a slow server could extend a call
    without end, and it cannot write several commands at once.

    Attributes:
        deadline: When reading and writing ends, by the monotonic clock. Set it before each use.
        since: When it was opened.
        messages: How many transactions it has served.
        unfinished: Whether a transaction must be reset before the next one.
    """

    def __init__(self, *, ehlo_name: str) -> None:
        super().__init__(local_hostname=ehlo_name)
        self.deadline = 0.0
        self.since = 0.0
        self.messages = 0
        self.unfinished = False
        self._unread = b""

    def open(
        self, host: str, port: int, *, timeout: float, tls: ssl.SSLContext | None, implicit: bool
    ) -> None:
        """
        Connect, encrypt, and ask for the server's features.

        Args:
            host: The server.
            port: Its port.
            timeout: Seconds for the connection, and for each step of the TLS handshake.
            tls: Verifies the server; None for a connection that is not encrypted.
            implicit: Whether TLS begins at once, and not by STARTTLS.

        Raises:
            OSError: Not connected, or the connection is broken or not verified.
            Refused: The server wants no connection, or offers no STARTTLS.
        """
        self.sock = socket.create_connection((host, port), timeout)
        if tls is not None and implicit:
            self.sock = tls.wrap_socket(self.sock, server_hostname=host)
        self._expect("CONNECT", self.reply())
        self._expect("EHLO", SmtpReply(*_as_text(self.ehlo())))
        if tls is not None and not implicit:
            self._start_tls(host, timeout, tls)
        self.since = time.monotonic()

    def _start_tls(self, host: str, timeout: float, tls: ssl.SSLContext) -> None:
        if not self.has_extn("starttls"):
            raise Refused("STARTTLS", SmtpReply(502, "not offered"))
        self._expect("STARTTLS", SmtpReply(*_as_text(self.docmd("STARTTLS"))))
        if self._unread:
            # Text that an attacker has put in front of the encrypted replies.
            raise Malformed("plain text after STARTTLS")
        assert self.sock is not None  # noqa: S101 - for mypy: it is connected
        self.sock.settimeout(timeout)
        self.sock = tls.wrap_socket(self.sock, server_hostname=host)
        # The features were read without encryption (RFC 3207 section 4.2).
        self.esmtp_features = {}
        self._expect("EHLO", SmtpReply(*_as_text(self.ehlo())))

    def log_in(self, user: str, password: str) -> None:
        """
        Authenticate, with the first of PLAIN, LOGIN and CRAM-MD5 that the server offers.

        Raises:
            OSError: The connection broke.
            Refused: The server refuses the password, or offers none of the three.
        """
        self.user, self.password = user, password
        offered = self.esmtp_features.get("auth", "").upper().split()
        ways: dict[str, Any] = {
            "PLAIN": self.auth_plain,
            "LOGIN": self.auth_login,
            "CRAM-MD5": self.auth_cram_md5,
        }
        for name, way in ways.items():
            if name in offered:
                try:
                    self.auth(name, way)
                    self.user = self.password = ""
                except smtplib.SMTPAuthenticationError as error:
                    text = error.smtp_error
                    raw = text.encode() if isinstance(text, str) else text
                    refused = Refused("AUTH", SmtpReply(*_as_text((error.smtp_code, raw))))
                    raise refused from None
                except (smtplib.SMTPException, ValueError):
                    raise Malformed("AUTH") from None
                return
        raise Refused("AUTH", SmtpReply(504, "not offered"))

    def commands(self, lines: Sequence[str]) -> list[SmtpReply]:
        """
        Send commands and return their replies, up to the first one that is refused.

        With PIPELINING (RFC 2920) they are one write, and all are answered.

        Raises:
            OSError: The connection broke or the deadline passed.
        """
        if self.has_extn("pipelining"):
            self.send("".join(f"{line}\r\n" for line in lines))
            return [self.reply() for _ in lines]
        replies: list[SmtpReply] = []
        for line in lines:
            self.send(f"{line}\r\n")
            replies.append(self.reply())
            if replies[-1].code >= 400:
                break
        return replies

    def reply(self) -> SmtpReply:
        """
        Read one reply.

        Raises:
            OSError: The connection broke or the deadline passed; `Malformed` if it is not a reply.
        """
        return SmtpReply(*_as_text(self.getreply()))

    def getreply(self) -> tuple[int, bytes]:
        """Read one reply, in smtplib's form; raises the errors of `reply`."""
        texts: list[bytes] = []
        while len(texts) < _MOST_LINES:
            line = self._line()
            code, mark = line[:3], line[3:4]
            if len(code) < 3 or not code.isdigit() or mark not in (b" ", b"-", b""):
                raise Malformed("not a reply")
            texts.append(line[4:].strip())
            if mark != b"-":
                return int(code), b"\n".join(texts)
        raise Malformed("too long")

    def send(self, s: str | bytes) -> None:  # type: ignore[override]
        """Write text or bytes to their end before the deadline."""
        if self.sock is None:
            raise ConnectionError("not connected")
        self.sock.settimeout(self._remaining())
        self.sock.sendall(s.encode("utf-8") if isinstance(s, str) else s)

    def drop(self) -> None:
        """Close the connection, with a QUIT whose reply is not awaited; no content is in flight."""
        try:
            if self.sock is not None:
                self.deadline = time.monotonic() + 0.1
                self.send("QUIT\r\n")
        except OSError:
            pass
        self.close()

    def _line(self) -> bytes:
        while (end := self._unread.find(b"\n")) < 0:
            if len(self._unread) > _LONGEST_LINE:
                raise Malformed("a line is too long")
            if self.sock is None:
                raise ConnectionError("not connected")
            self.sock.settimeout(self._remaining())
            came = self.sock.recv(_READ)
            if not came:
                raise ConnectionError("closed")
            self._unread += came
        line, self._unread = self._unread[:end], self._unread[end + 1 :]
        return line.rstrip(b"\r")

    def _remaining(self) -> float:
        remaining = self.deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        return remaining

    @property
    def quiet(self) -> bool:
        """Whether nothing is unread in its own buffer."""
        return not self._unread

    @staticmethod
    def _expect(stage: str, reply: SmtpReply) -> None:
        if not reply.ok:
            raise Refused(stage, reply)


def _as_text(reply: tuple[int, bytes]) -> tuple[int, str]:
    return reply[0], reply[1].decode("ascii", "replace")[:_SHOWN]
