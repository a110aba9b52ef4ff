"""`make boot-test`: the Debian package on a booted machine, in use, with faults, and probed."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.boot import scenes, upgrade, web
from tests.boot.contents import mistakes
from tests.boot.machine import Failed
from tests.boot.report import Figures, last_line, write
from tests.boot.sandboxing import probed
from tests.boot.stage import Stage, staged
from tests.debian.checkout import checkout_on
from tests.debian.container import CannotBoot, why_not
from tests.debian.image import NEEDED, ROOT, SUITES, release_here
from tests.faults.checker import check
from tests.faults.ledgers import read_sandbox

GUARANTEES = ROOT / "docs" / "guarantees.md"


def main() -> int:
    """Run the test; return 1 if a promise was broken, 0 if not or if it cannot run here."""
    options = _options()
    try:
        _require()
        return _run(options.package or _built(options.release), release=options.release)
    except CannotBoot as error:
        print(f"boot-test: skipped: {error}", flush=True)
        # If CI is set, a test that does not run is a failure.
        return int(bool(os.environ.get("CI")))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.boot", description=__doc__)
    parser.add_argument("--package", type=Path, help="boot this one; without, `make package` first")
    here = release_here()
    parser.add_argument(
        "--release",
        choices=SUITES,
        default=here,
        required=here not in SUITES,
        help="the Debian to boot; by default this machine's",
    )
    return parser.parse_args()


def _require() -> None:
    if not os.geteuid() and shutil.which("dpkg-deb"):
        subprocess.run([ROOT / "scripts" / "require-debian.sh", *NEEDED], check=True)
    if reason := why_not():
        raise CannotBoot(reason)


def _built(release: str) -> Path:
    """Build the package on its own release, without the audit, which is not tested here."""
    verb = ("make", "--no-print-directory", "package", "AUDIT=optional")
    if release == release_here():
        subprocess.run(verb, cwd=ROOT, check=True)
        return next((ROOT / "dist").glob("*.deb"))
    with checkout_on(release) as checkout:
        checkout.run(*verb)
        built = next((checkout.folder / "dist").glob("*.deb"))
        (ROOT / "dist").mkdir(exist_ok=True)
        return Path(shutil.copy(built, ROOT / "dist"))


def _run(package: Path, *, release: str) -> int:
    folder = Path(tempfile.mkdtemp(prefix="notify-boot-"))
    print(f"ledgers and logs, kept if a promise is broken: {folder}", flush=True)
    faulty = list(mistakes(package, release=release))
    figures = None
    try:
        if release != min(SUITES):
            with _told("RabbitMQ was taken from Debian 12 to 13"):
                faulty += upgrade.faults(folder / "upgrade")
        with staged(folder, release) as stage:
            figures = _played(stage, package)
            faulty += stage.faulty
    finally:
        for machine in ("root", "upgrade"):
            shutil.rmtree(folder / machine, ignore_errors=True)
    for fault in faulty[:30]:
        print(f"  ! {fault}", flush=True)
    if figures is None or faulty:
        print("boot: broken off" if figures is None else last_line(figures))
        return 1
    shutil.rmtree(folder)
    write(GUARANTEES, figures, release=release)
    print(last_line(figures))
    return 0


def _played(stage: Stage, package: Path) -> Figures | None:
    """Play all scenes; return None if one could not be completed."""
    try:
        return _scenes(stage, package)
    except (Failed, subprocess.TimeoutExpired) as error:
        stage.faulty.append(f"the test broke off: {error}")
        return None
    finally:
        journal = stage.machine.run("journalctl", "--output=short-precise").stdout
        (stage.folder / "journal.log").write_text(journal)


def _scenes(stage: Stage, package: Path) -> Figures:
    with _told("the package is installed"):
        scenes.install(stage, package)
    with _told("the workers are configured and up"):
        scenes.start(stage)
    with _told("an email, an SMS and a push message are sent, a dead letter is archived"):
        scenes.deliver(stage)
    with _told("the doctor was asked, and each worker over HTTP"):
        scenes.examine(stage)
        scenes.answer(stage)
    with _told("the web processes were started, used, restarted and stopped"):
        web.serve(stage)
    with _told("what the sandbox forbids was tried"):
        denied, wrong = probed(stage.machine)
        stage.faulty += wrong
    with _told("the maintenance has run"):
        scenes.maintain(stage)
    with _told("a worker was killed and is back"):
        sigkill = scenes.kill(stage)
    with _told("a worker hung and was replaced"):
        hang = scenes.hang(stage)
    known = scenes.failures(stage)
    with scenes.under_load(stage):
        with _told("the workers have read a template anew"):
            scenes.reload(stage)
        with _told(f"all was restarted {scenes.RESTARTS} times under load"):
            scenes.restart(stage)
    stage.faulty += scenes.failures(stage)[len(known) :]
    stage.machine.said("notify", "ledger")
    with _told("the package was installed over itself, and purged"):
        scenes.upgrade(stage)
        scenes.purge(stage)
    return _judged(stage, sigkill=sigkill, hang=hang, denied=denied)


def _judged(stage: Stage, *, sigkill: float, hang: float, denied: int) -> Figures:
    """Join the three ledgers: no call was cut off, so only one that timed out is excused."""
    published = stage.load.journal.latest()
    seen = read_sandbox(stage.folder / "sandbox.jsonl")
    found = check(published, stage.recorded(), seen, cuts=stage.timed_out())
    stage.faulty += found.violations
    return Figures(
        sigkill=sigkill,
        hang=hang,
        restarts=scenes.RESTARTS,
        published=len(published),
        lost=found.lost,
        duplicates=found.duplicates_park + found.duplicates_resend,
        denied=denied,
    )


@contextmanager
def _told(sentence: str) -> Iterator[None]:
    """Print what was done, and how many seconds it took."""
    began = time.monotonic()
    yield
    print(f"{time.monotonic() - began:6.1f} s  {sentence}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
