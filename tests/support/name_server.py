"""A small DNS server over UDP, with the records of a test."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

Zone = Mapping[str, Sequence[str]]
"""By name, its TXT records; one `CNAME name` is an alias."""


class NameServer:
    """Answers TXT questions from a zone; `silent` lets it answer nothing, `broken` SERVFAIL."""

    def __init__(self, zone: Zone, *, silent: bool = False, broken: bool = False) -> None:
        self.zone = {name.lower(): list(values) for name, values in zone.items()}
        self.silent = silent
        self.broken = broken
        self.asked: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, name="name server", daemon=True)

    @property
    def address(self) -> tuple[str, int]:
        """Its address and port."""
        host, port = self._socket.getsockname()
        return host, port

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stop:
            stop.sendto(b"", self.address)
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            data, client = self._socket.recvfrom(4096)
            if not data:
                return
            question = dns.message.from_wire(data)
            self.asked.append(question.question[0].name.to_text(omit_final_dot=True))
            if not self.silent:
                self._socket.sendto(self._answer(question).to_wire(), client)

    def _answer(self, question: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(question, recursion_available=True)
        answer.flags |= dns.flags.AA
        if self.broken:
            answer.set_rcode(dns.rcode.SERVFAIL)
            return answer
        name = question.question[0].name.to_text(omit_final_dot=True).lower()
        if name not in self.zone:
            answer.set_rcode(dns.rcode.NXDOMAIN)
            return answer
        values = self.zone[name]
        if values and values[0].startswith("CNAME "):
            target = values[0].removeprefix("CNAME ")
            alias = dns.rrset.from_text(f"{name}.", 60, "IN", "CNAME", f"{target}.")
            answer.answer.append(alias)
            name, values = target, self.zone.get(target.lower(), [])
        if values:
            texts = [_quoted(value) for value in values]
            answer.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", "TXT", *texts))
        return answer


def _quoted(value: str) -> str:
    """Return a record in strings of at most 255 characters."""
    parts = [value[at : at + 255] for at in range(0, len(value), 255)] or [""]
    return " ".join(f'"{part}"' for part in parts)
