"""
Exim, a real mail server of Debian's, as a relay on a free port.

Its packages are unpacked and not installed: an installed mail server would replace the machine's
own. It runs without rights; libnss-wrapper shows it the user that its package would create.
"""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from notify.stack.process import DIE_WITH_PARENT
from notify.stack.rabbitmq import free_ports
from tests.support.authority import Authority
from tests.support.rig import until
from tests.support.services import missing

PASSWORD = "relay-password"
_PACKAGES = ("exim4-daemon-light", "libidn12", "libnss-wrapper")
_RELEASE = platform.freedesktop_os_release().get("VERSION_ID", "")
_UNPACKED = Path(__file__).parents[2] / "build" / f"exim-{_RELEASE}"
_NOBODY = 65534
_CONFIG = """
exim_path = {program}
primary_hostname = relay.example.com
spool_directory = {folder}/spool
log_file_path = {folder}/%slog
pid_file_path = {folder}/pid
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
notifier_socket =
host_lookup =
rfc1413_hosts =
never_users =
keep_environment = LD_LIBRARY_PATH : LD_PRELOAD : NSS_WRAPPER_PASSWD : NSS_WRAPPER_GROUP
add_environment = <; LD_LIBRARY_PATH={libraries} ; LD_PRELOAD=libnss_wrapper.so
dsn_advertise_hosts = *
tls_certificate = {certificate}
tls_privatekey = {key}
acl_smtp_rcpt = acl_rcpt
begin acl
acl_rcpt:
  deny message = 5.7.1 relaying denied
       !authenticated = *
  deny message = 5.1.1 no such user here
       recipients = refused@example.org
  accept
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{notify}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
begin routers
returned:
  driver = accept
  domains = bounces.example.com
  transport = returned
onward:
  driver = manualroute
  domains = example.net
  transport = onward
  route_list = * 127.0.0.1
  self = send
others:
  driver = accept
  transport = delivered
begin transports
delivered:
  driver = appendfile
  directory = {folder}/delivered
  maildir_format
returned:
  driver = appendfile
  directory = {folder}/returned
  maildir_format
onward:
  driver = smtp
  port = {onward}
  hosts_avoid_tls = *
begin retry
* * F,1h,1m
"""


@dataclass(frozen=True, slots=True)
class Exim:
    """A running relay; it refuses refused@example.org, and relays mail to example.net."""

    port: int
    folder: Path
    ca_file: Path

    def mails(self, folder: str) -> list[bytes]:
        """Return the mails that were `delivered`, or `returned` to a return path."""
        return [each.read_bytes() for each in sorted((self.folder / folder / "new").glob("*"))]

    def log(self) -> str:
        """Return its log."""
        return "\n".join(each.read_text() for each in self.folder.glob("*log"))


@contextmanager
def exim(authority: Authority, *, onward: int) -> Iterator[Exim]:
    """Run the relay, with STARTTLS and a password; *onward* is the port of the next server."""
    # A folder that a user without rights can enter, which pytest's is not.
    with tempfile.TemporaryDirectory(prefix="notify-exim-", dir="/tmp") as name:
        folder, (port,) = Path(name), free_ports(1)
        environ = _prepared(folder, authority, port, onward)
        program = folder / "root/usr/sbin/exim4"
        command = [*DIE_WITH_PARENT, program, "-C", folder / "exim.conf", "-bdf", "-q1s"]
        user = _NOBODY if os.getuid() == 0 else os.getuid()
        root = os.getuid() == 0
        with (folder / "out").open("wb") as out:
            process = subprocess.Popen(
                [str(each) for each in command],
                env=environ,
                user=user if root else None,
                group=user if root else None,
                extra_groups=[] if root else None,
                stdout=out,
                stderr=out,
            )
        found = Exim(port, folder, authority.file)
        try:
            until(lambda: process.poll() is not None or "daemon started" in found.log())
            if process.poll() is not None:
                missing(f"Exim does not start: {(folder / 'out').read_text()[:200]}")
            yield found
        finally:
            process.terminate()
            process.wait(30)


def _prepared(folder: Path, authority: Authority, port: int, onward: int) -> dict[str, str]:
    """Write the configuration; return the environment."""
    shutil.copytree(_unpacked(), folder / "root", symlinks=True)
    certificate, key = (shutil.copy(each, folder) for each in authority.issue("exim"))
    libraries = ":".join(str(each) for each in (folder / "root/usr/lib").glob("*-linux-gnu"))
    config = folder / "exim.conf"
    config.write_text(
        _CONFIG.format(
            program=folder / "root/usr/sbin/exim4",
            folder=folder,
            port=port,
            onward=onward,
            libraries=libraries,
            certificate=certificate,
            key=key,
            password=PASSWORD,
        )
    )
    user = _NOBODY if os.getuid() == 0 else os.getuid()
    people = f"Debian-exim:x:{user}:{user}::/:/bin/false\nroot:x:0:0::/:/bin/sh\n"
    (folder / "passwd").write_text(people)
    (folder / "group").write_text(f"Debian-exim:x:{user}:\nroot:x:0:\nmail:x:8:\n")
    for each in ("spool", "delivered", "returned"):
        (folder / each).mkdir()
    if os.getuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user, user, follow_symlinks=False)
        # Exim reads no configuration that others could have written.
        os.chown(config, 0, 0)
    return {
        "LD_LIBRARY_PATH": libraries,
        "LD_PRELOAD": "libnss_wrapper.so",
        "NSS_WRAPPER_PASSWD": str(folder / "passwd"),
        "NSS_WRAPPER_GROUP": str(folder / "group"),
    }


def _unpacked() -> Path:
    """Return the folder with the unpacked packages; download them first if they are not there."""
    done = _UNPACKED / ".done"
    if not done.exists():
        _UNPACKED.mkdir(parents=True, exist_ok=True)
        with (_UNPACKED / ".lock").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            if not done.exists():
                _download()
                done.touch()
    return _UNPACKED / "root"


def _download() -> None:
    with tempfile.TemporaryDirectory() as name:
        try:
            download = ["apt-get", "download", "-qq", *_PACKAGES, *_libraries()]
            subprocess.run(download, cwd=name, check=True, capture_output=True)
            for package in Path(name).glob("*.deb"):
                unpack = ["dpkg-deb", "-x", str(package), str(_UNPACKED / "root")]
                subprocess.run(unpack, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            missing("Exim cannot be downloaded: run apt-get update")


def _libraries() -> list[str]:
    """Return the packages of libraries that this machine lacks, as apt would install them."""
    simulate = ["apt-get", "install", "--simulate", "--no-install-recommends", *_PACKAGES]
    done = subprocess.run(simulate, check=True, capture_output=True, text=True)
    found = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("Inst ")]
    return [name for name in found if name.startswith("lib") and name not in _PACKAGES]
