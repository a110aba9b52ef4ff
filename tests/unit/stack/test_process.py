"""The stack's child processes: ready files, last words, bounded stops."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from notify.stack.process import Process, ProcessEnded, stop_all
from tests.support.patience import PATIENCE

# Stands in for the package `notify`, so that `python -m notify WORD` does what WORD says.
FAKE = """
import pathlib, signal, sys, time
word = sys.argv[1]
if word == "fail":
    print("line of the log")
    sys.exit("the reason")
if word == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if word != "idle":
    pathlib.Path(sys.argv[sys.argv.index("--ready-file") + 1]).write_text("http://here")
time.sleep(60)
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment in which `python -m notify` is the stand-in."""
    package = tmp_path / "fake" / "notify"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(FAKE)
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(package.parent)}


def start(word: str, folder: Path, environ: dict[str, str]) -> Process:
    """Start the stand-in."""
    return Process(
        word,
        [word],
        log=folder / f"{word}.log",
        ready_file=folder / f"{word}.ready",
        environ=environ,
    )


def test_a_process_has_the_priority_it_is_given(tmp_path: Path, environ: dict[str, str]) -> None:
    """It keeps the id under which it is stopped."""
    log, ready_file = tmp_path / "log", tmp_path / "ready"
    process = Process("low", ["ready"], log=log, ready_file=ready_file, environ=environ, nice=3)
    try:
        process.wait_ready(timeout=PATIENCE)
        assert (
            os.getpriority(os.PRIO_PROCESS, process.pid) == os.getpriority(os.PRIO_PROCESS, 0) + 3
        )
    finally:
        stop_all([process], timeout=PATIENCE)
    assert not process.running


def test_a_process_that_fails_shows_its_name_its_code_and_its_last_words_at_once(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    """A dead process is reported at once, with its log."""
    process = start("fail", tmp_path, environ)
    with pytest.raises(ProcessEnded, match=r"(?s)fail ended with exit code 1.*the reason"):
        process.wait_ready(timeout=20)


def test_a_ready_file_of_an_earlier_run_does_not_count(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    """A state folder may be used again."""
    (tmp_path / "fail.ready").touch()
    process = start("fail", tmp_path, environ)
    assert not process.ready
    with pytest.raises(ProcessEnded):
        process.wait_ready(timeout=20)


def test_a_process_that_is_ready_runs_until_it_is_stopped(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    """The plain life of a worker."""
    process = start("serve", tmp_path, environ)
    process.wait_ready(timeout=20)
    assert process.ready_text == "http://here"
    process.check()
    stop_all([process], timeout=20)
    assert not process.running
    with pytest.raises(ProcessEnded, match="SIGTERM"):
        process.check()


def test_a_process_that_ignores_the_request_to_stop_is_killed_in_time(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    """Stopping a stack is bounded."""
    process = start("stubborn", tmp_path, environ)
    process.wait_ready(timeout=20)
    # Unbounded, it would wait for as long as the process sleeps.
    stop_all([process], timeout=0.2)
    with pytest.raises(ProcessEnded, match="SIGKILL"):
        process.check()


def test_a_process_that_is_not_ready_in_time_is_reported(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    """A worker that hangs does not hang the start."""
    process = start("idle", tmp_path, environ)
    with pytest.raises(ProcessEnded, match=r"not ready within 0\.1 s"):
        process.wait_ready(timeout=0.1)
    stop_all([process], timeout=20)


def test_a_process_dies_with_its_parent_even_by_kill_9(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    """A stack that is killed leaves nothing behind."""
    program = f"""
import pathlib, time
from notify.stack.process import Process
folder = pathlib.Path({str(tmp_path)!r})
child = Process("serve", ["serve"], log=folder / "log", ready_file=folder / "ready",
                environ={environ!r})
child.wait_ready(timeout=20)
print(child.pid, flush=True)
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        child = psutil.Process(int(parent.stdout.readline()))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert psutil.wait_procs([child], timeout=10)[0] == [child]
