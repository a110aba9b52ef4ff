"""The boot test's own judgement, and what `make package` takes from the lock; without a machine."""

from __future__ import annotations

import io
import py_compile
import subprocess
import sys
import tarfile
from pathlib import Path

from tests.boot import probe
from tests.boot.contents import mistakes_in, varying_in
from tests.boot.report import Figures, last_line, write
from tests.boot.sandboxing import judged
from tests.debian.image import SUITES

ROOT = Path(__file__).parents[3]
DENIED = {each.__name__: "EPERM" for each in probe.DENIED}
ALLOWED = {each.__name__: probe.DONE for each in probe.ALLOWED}
TIGHT = DENIED | ALLOWED
FREE = dict.fromkeys(TIGHT, probe.DONE)


def test_the_last_line_sums_up() -> None:
    """Its form is fixed: others read it."""
    assert last_line(Figures(2.04, 31.56, 20, 6000, 0, 0, 12)) == (
        "boot: sigkill_s=2.0 hang_s=31.6 restarts=20 lost=0 duplicates=0 probes_denied=12"
        " published=6000"
    )


def test_the_page_keeps_what_is_around_the_figures(tmp_path: Path) -> None:
    """Written twice, it holds them once."""
    page = tmp_path / "page.md"
    page.write_text((ROOT / "docs" / "guarantees.md").read_text())
    for published in (1, 6000):
        for release in SUITES:
            write(page, Figures(2, 30, 20, published, 0, 0, 12), release=release)
    assert page.read_text().count("boot: sigkill_s=") == len(SUITES)
    assert page.read_text().count("published=6000") == len(SUITES)
    assert "<!-- end of drills -->" in page.read_text()


def test_a_tight_sandbox_passes() -> None:
    """All that is forbidden was refused within, and worked outside."""
    assert judged(TIGHT, DENIED, FREE) == (len(DENIED), [])


def test_each_hole_in_the_sandbox_is_told() -> None:
    """For the user, for root, and for a probe that proves nothing since it fails everywhere."""
    name = probe.mount.__name__
    open_ = {name: probe.DONE}
    assert judged(TIGHT | open_, DENIED, FREE)[1] == ["a worker can mount"]
    assert judged(TIGHT, DENIED | open_, FREE)[1] == ["root in a worker's sandbox can mount"]
    assert judged(TIGHT, DENIED, FREE | {name: "ENOSYS"})[1] == ["the probe cannot mount: ENOSYS"]


def test_a_sandbox_that_forbids_the_work_is_told() -> None:
    """A worker without its secrets is safe and useless."""
    name = probe.read_credential.__name__
    assert judged(TIGHT | {name: "ENOENT"}, DENIED, FREE)[1] == [
        "a worker cannot read_credential: ENOENT"
    ]


def test_a_file_that_others_may_write_is_told() -> None:
    """So is one that is not root's, and one that only developers need."""
    listing = (
        "-rw-rw-r-- root/root 3 2026-01-01 00:00 ./opt/notify/a\n"
        "-rw-r--r-- ann/ann 3 2026-01-01 00:00 ./opt/notify/lib/python3.11/site-packages/pytest/b\n"
    )
    told = list(mistakes_in(listing, wanted={"./opt/notify/c": "-rw-r--r--"}))
    assert len(told) == 4, told


def test_a_file_that_differs_from_build_to_build_is_told(tmp_path: Path) -> None:
    """With such a file, each build of the same checkout differs."""
    modes = py_compile.PycInvalidationMode
    source = tmp_path / "source.py"
    source.write_text("")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as files:
        for mode in (modes.TIMESTAMP, modes.UNCHECKED_HASH):
            compiled = tmp_path / f"{mode.name}.pyc"
            py_compile.compile(str(source), str(compiled), invalidation_mode=mode)
            files.add(compiled, f"./{compiled.name}")
        for name, text in (("notify", "../../../bin/notify,sha256=x,1"), ("click", "click/a.py,,")):
            source.write_text(text)
            files.add(source, f"./{name}-1.dist-info/RECORD")
        link = tmp_path / "lib64.pyc"
        link.symlink_to(source)
        files.add(link, "./lib64.pyc")
    archive.seek(0)
    assert varying_in(archive) == ["./TIMESTAMP.pyc", "./notify-1.dist-info/RECORD"]


def test_the_package_takes_from_the_lock_what_the_service_needs() -> None:
    """And nothing that only its developers need."""
    with (ROOT / "requirements.lock").open() as lock:
        done = subprocess.run(
            [sys.executable, ROOT / "scripts" / "runtime-lock.py"],
            stdin=lock,
            capture_output=True,
            text=True,
            check=True,
        )
    names = {line.split("==")[0] for line in done.stdout.splitlines() if "==" in line}
    assert {"celery", "vine", "psycopg-binary", "markupsafe"} <= names
    assert not names & {"pytest", "mypy", "hatchling", "iniconfig", "ruff"}
    assert done.stdout.count("--hash=sha256:") > len(names)
