"""nginx with an example of our pages, whose ports and files are replaced."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.rig import until
from tests.support.services import missing


@contextmanager
def nginx(folder: Path, page: Path, *, port: int, replaced: Mapping[str, str]) -> Iterator[None]:
    """
    Run nginx with the only example of a page.

    Args:
        folder: For its files.
        port: The port of 127.0.0.1 on which it listens with TLS.
        replaced: What to put in the place of the example's files and addresses.
    """
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(program).exists():
        missing("nginx is not installed: apt-get install nginx-light")
    [server] = re.findall(r"^ *```nginx\n(.*?)^ *```$", page.read_text(), re.M | re.S)
    for old, new in {"listen 443 ssl": f"listen 127.0.0.1:{port} ssl", **replaced}.items():
        assert old in server
        server = server.replace(old, new)
    paths = " ".join(
        f"{name}_temp_path {folder};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;\n"
        f"events {{}}\nhttp {{ access_log off; {paths}\n{server}\n}}\n"
    )
    process = subprocess.Popen([program, "-p", str(folder), "-c", str(config)])
    try:
        until(lambda: _listens(port) or process.poll() is not None)
        assert process.poll() is None, (folder / "nginx.log").read_text()
        yield
    finally:
        process.terminate()
        process.wait(20)


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
