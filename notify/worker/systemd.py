"""Telling systemd how this process does: the protocol of sd_notify(3), over its datagram socket."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress


class Systemd:
    """
    What started this process and asked to hear of it; without it, all that is said goes nowhere.

    Nothing here waits or fails: what the socket does not take at once is lost, as a word that
    nobody hears. Safe to use from several threads, and in the handler of a signal.
    """

    def __init__(
        self,
        environ: Mapping[str, str] = os.environ,
        *,
        pid: int | None = None,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Take where to tell it and what is asked for, from $NOTIFY_SOCKET and $WATCHDOG_USEC."""
        address = environ.get("NOTIFY_SOCKET", "")
        # An @ stands for the zero byte of an address that is in no file system.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._monotonic_ns = monotonic_ns
        self.watchdog = _watchdog(environ, pid or os.getpid()) if self.listens else None
        """Seconds without `alive` after which this process is killed; None if it never is."""

    @property
    def listens(self) -> bool:
        """Whether anybody hears what is said."""
        return bool(self._address)

    def ready(self) -> None:
        """Tell that the work has begun, or that a reload is over."""
        self._tell("READY=1")

    def reloading(self) -> None:
        """Tell that the configuration is being read again; `ready` must follow."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={self._monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Tell that the work is about to end."""
        self._tell("STOPPING=1")

    def alive(self) -> None:
        """Put off the watchdog."""
        self._tell("WATCHDOG=1")

    def status(self, line: str) -> None:
        """Show one line in `systemctl status`."""
        self._tell(f"STATUS={line}")

    def _tell(self, words: str) -> None:
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.setblocking(False)
            out.sendto(words.encode(), self._address)


def _watchdog(environ: Mapping[str, str], pid: int) -> float | None:
    usec, whose = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", str(pid))
    meant = usec.isdecimal() and int(usec) > 0 and whose == str(pid)
    return int(usec) / 1_000_000 if meant else None
