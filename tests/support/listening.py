"""What systemd would hear of a process: its notify socket, a real one, with a thread that reads."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Ear:
    """Keeps the words that arrive, each with the moment when it did."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace("@", "\0") if address.startswith("@") else address)
        self._heard: list[tuple[float, str]] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def words(self, name: str = "") -> list[str]:
        """Give what was said, in order; of one variable alone, if named, its values."""
        lines = [line for _, said in list(self._heard) for line in said.splitlines()]
        if not name:
            return lines
        return [value for key, _, value in (line.partition("=") for line in lines) if key == name]

    def moments(self, word: str) -> list[float]:
        """Tell when a word was said, by the monotonic clock."""
        return [at for at, said in list(self._heard) if word in said.splitlines()]

    def _listen(self) -> None:
        while said := self._socket.recv(65_536):
            self._heard.append((time.monotonic(), said.decode()))

    def close(self) -> None:
        """Listen no more."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
            own.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()


@contextmanager
def listening(address: str | Path) -> Iterator[Ear]:
    """Hear what is said to an address; an @ begins one that is in no file system."""
    ear = Ear(str(address))
    try:
        yield ear
    finally:
        ear.close()
