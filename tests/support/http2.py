"""HTTP/2 servers of Debian's nghttp2: a proxy in front of a scripted vendor, and one of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from notify.stack.process import DIE_WITH_PARENT
from notify.stack.rabbitmq import free_ports
from tests.support.patience import PATIENCE
from tests.support.services import missing
from tests.support.vendor import Vendor

_SBIN = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])


def http2_front(vendor: Vendor) -> str:
    """
    Return the address of an HTTP/2 proxy in front of a vendor, which lives as long as the vendor.

    The vendor answers as its test says, and nghttpx translates that to frames.
    """
    port = vendor.url.rpartition(":")[2]
    (own,) = free_ports(1)
    options = [
        f"--frontend=127.0.0.1,{own};no-tls",
        f"--backend=127.0.0.1,{port};;proto=http/1.1",
        "--backend-keep-alive-timeout=60s",
        "--backend-read-timeout=30s",
        "--single-thread",
        "--conf=/dev/null",
        "--errorlog-file=/dev/null",
        "--accesslog-file=/dev/null",
    ]
    vendor.closing.enter_context(_running("nghttpx", "nghttp2-proxy", options, own))
    return f"http://127.0.0.1:{own}"


@contextmanager
def nghttpd(
    folder: Path, *options: str, certificate: tuple[Path, Path] | None = None
) -> Iterator[str]:
    """Serve a folder's files over HTTP/2; with a key and its certificate, over TLS."""
    (own,) = free_ports(1)
    tls = ["--no-tls"] if certificate is None else []
    files = [] if certificate is None else [str(each) for each in certificate]
    wanted = ["--address=127.0.0.1", f"--htdocs={folder}", *tls, *options, str(own), *files]
    with _running("nghttpd", "nghttp2-server", wanted, own):
        scheme = "http" if certificate is None else "https"
        yield f"{scheme}://127.0.0.1:{own}"


@contextmanager
def _running(program: str, package: str, options: Sequence[str], port: int) -> Iterator[None]:
    path = shutil.which(program, path=_SBIN)
    if path is None:
        missing(f"{program} is not installed: apt-get install {package}")
    process = subprocess.Popen(
        [*DIE_WITH_PARENT, path, *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(port, process)
        yield
    finally:
        process.kill()
        process.wait()


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert process.poll() is None, "it ended at once"
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
