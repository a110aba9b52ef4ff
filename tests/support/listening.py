"""systemd's side of a process: a real notify socket, with a thread that reads it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Ear:
    """Records each message with its time of arrival."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace("@", "\0") if address.startswith("@") else address)
        self._heard: list[tuple[float, str]] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def words(self, name: str = "") -> list[str]:
        """Return the messages in order, or only the values of one variable."""
        lines = [line for _, said in list(self._heard) for line in said.splitlines()]
        if not name:
            return lines
        return [value for key, _, value in (line.partition("=") for line in lines) if key == name]

    def moments(self, word: str) -> list[float]:
        """Return when a message arrived, by the monotonic clock."""
        return [at for at, said in list(self._heard) if word in said.splitlines()]

    def _listen(self) -> None:
        while said := self._socket.recv(65_536):
            self._heard.append((time.monotonic(), said.decode()))

    def close(self) -> None:
        """Stop reading."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
            own.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()


@contextmanager
def listening(address: str | Path) -> Iterator[Ear]:
    """Read the messages to an address; an @ marks an abstract one, outside the file system."""
    ear = Ear(str(address))
    try:
        yield ear
    finally:
        ear.close()
