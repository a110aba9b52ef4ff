"""Reporting this process's state to systemd, by the datagram protocol of sd_notify(3)."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress


class Systemd:
    """
    The service manager that started this process; without one, every report is discarded.

    No method blocks or raises: a report that the socket does not accept at once is lost. Safe
    among threads, and in a signal handler.
    """

    def __init__(
        self,
        environ: Mapping[str, str] = os.environ,
        *,
        pid: int | None = None,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Read the socket's address and the watchdog's timeout from the environment."""
        address = environ.get("NOTIFY_SOCKET", "")
        # A leading @ means the zero byte of an abstract address.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._monotonic_ns = monotonic_ns
        self.watchdog = _watchdog(environ, pid or os.getpid()) if self.listens else None
        """Seconds without `alive` after which systemd kills this process; None if never."""

    @property
    def listens(self) -> bool:
        """Whether a service manager receives the reports."""
        return bool(self._address)

    def ready(self) -> None:
        """Report that the service is ready, or that a reload has finished."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Report that a reload has started; `ready` must follow."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={self._monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Report that the service is stopping."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Reset the watchdog timer."""
        self._send("WATCHDOG=1")

    def status(self, line: str) -> None:
        """Show one line in `systemctl status`."""
        self._send(f"STATUS={line}")

    def _send(self, state: str) -> None:
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.setblocking(False)
            out.sendto(state.encode(), self._address)


def _watchdog(environ: Mapping[str, str], pid: int) -> float | None:
    usec, watched = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", str(pid))
    applies = usec.isdecimal() and int(usec) > 0 and watched == str(pid)
    return int(usec) / 1_000_000 if applies else None
