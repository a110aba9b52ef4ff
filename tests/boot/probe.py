"""
Try what a worker must not be able to do, and what it must; print the results as JSON.

It runs inside the container with Debian's Python, once in a worker's unit and once outside: an
attempt that the unit refuses must work outside, or the attempt itself is wrong.
"""

from __future__ import annotations

import ctypes
import errno
import json
import mmap
import os
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
DONE = "done"
CLONE_NEWUTS = 0x04000000
PER_LINUX32 = 0x0008


def write_usr() -> None:
    """Change the program."""
    _write("/usr/probe")


def write_etc() -> None:
    """Change the configuration."""
    _write("/etc/probe")


def read_home() -> None:
    """List root's home."""
    os.listdir("/root")  # noqa: PTH208 - Path.iterdir is lazy


def see_others() -> None:
    """Read another process's status."""
    Path("/proc/1/status").read_text()


def write_and_execute() -> None:
    """Map memory that is writable and executable."""
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def mount() -> None:
    """Mount a file system."""
    _call(LIBC.mount, b"probe", b"/mnt", b"tmpfs", 0, None)
    _call(LIBC.umount, b"/mnt")


def raw_socket() -> None:
    """Open a raw socket."""
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()


def packet_socket() -> None:
    """Capture the network's traffic."""
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()


def namespace() -> None:
    """Enter a new namespace."""
    _call(LIBC.unshare, CLONE_NEWUTS)


def set_uid() -> None:
    """Create a setuid program."""
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).chmod(0o4755)


def personality() -> None:
    """Change the execution domain (personality)."""
    _call(LIBC.personality, PER_LINUX32)


def keep_state() -> None:
    """Write to the folder of a SQLite record."""
    _write("/var/lib/notify/probe")


def read_credential() -> None:
    """Read the credentials from systemd, which no other user may read."""
    file = Path(os.environ.get("CREDENTIALS_DIRECTORY", "")) / "providers.env"
    file.read_text()
    mode = file.stat().st_mode
    # With an ACL, which systemd 254 and later use for the user, the group bits are its mask.
    if mode & 0o007 or (mode & 0o070 and "system.posix_acl_access" not in os.listxattr(file)):
        raise PermissionError(errno.EPERM, "others may read it")


def read_secrets() -> None:
    """Read the secrets at their source."""
    Path("/etc/notify/providers.env").read_text()


DENIED = (
    write_usr,
    write_etc,
    read_home,
    see_others,
    write_and_execute,
    mount,
    raw_socket,
    packet_socket,
    namespace,
    set_uid,
    personality,
    read_secrets,
)
ALLOWED = (keep_state, read_credential)


def _write(path: str) -> None:
    Path(path).write_text("probe")
    Path(path).unlink()


def _call(function: Callable[..., int], *arguments: object) -> None:
    if function(*arguments) == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _outcome(attempt: Callable[[], None]) -> str:
    try:
        attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "?")
    return DONE


if __name__ == "__main__":
    print(json.dumps({each.__name__: _outcome(each) for each in (*DENIED, *ALLOWED)}))
