"""Who runs a command, for the audit."""

from __future__ import annotations

import getpass
import os
import socket


def myself() -> str:
    """Name the person, also behind sudo, and the machine: `ann@ops-1`."""
    try:
        user = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    # The environment may hold any bytes; the record takes text.
    user = user.encode(errors="backslashreplace").decode()
    return f"{user}@{socket.gethostname()}"
