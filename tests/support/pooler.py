"""A PgBouncer for one test, in front of the session's PostgreSQL."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from notify.stack.process import DIE_WITH_PARENT
from notify.stack.rabbitmq import free_ports
from tests.support.services import missing

_CONFIG = """
[databases]
* = host={host} port={port} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own_port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
{more}
"""
_AS_NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--")


@contextmanager
def pgbouncer(url: str, *, more: str = "") -> Iterator[str]:
    """
    Pool the transactions of a database; yield its address through the pooler.

    Args:
        more: Lines that are added to its default configuration.
    """
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin")
    if program is None:
        missing("PgBouncer is not installed: apt-get install pgbouncer")
    where = make_url(url)
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory(prefix="notify-pgbouncer-") as folder:
        config = Path(folder) / "pgbouncer.ini"
        own = {"host": where.host, "port": where.port, "user": where.username}
        config.write_text(_CONFIG.format(**own, own_port=port, more=more))
        Path(folder).chmod(0o755)
        # It refuses to run as root.
        drop = _AS_NOBODY if os.geteuid() == 0 else ()
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen(
                [*drop, *DIE_WITH_PARENT, program, config], stdout=log, stderr=log
            )
        try:
            address = where.set(port=port)
            _wait(address.set(drivername="postgresql").render_as_string(hide_password=False))
            yield address.render_as_string(hide_password=False)
        finally:
            process.kill()
            process.wait()


def _wait(address: str) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            return psycopg.connect(address, connect_timeout=5).close()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
