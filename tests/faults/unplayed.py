"""Why a drill could not be played: a service, a program or the machine failed, not the product."""

from __future__ import annotations

import subprocess
from pathlib import Path

import amqp
import psutil
import psycopg
import pytest

from notify.errors import NotifyError


class Unplayable(Exception):
    """This machine lacks something that a drill needs, named in the text."""


OBSTACLES = (
    Unplayable,
    NotifyError,
    OSError,
    subprocess.SubprocessError,
    amqp.AMQPError,
    psycopg.Error,
    psutil.Error,
    ValueError,
    AssertionError,
    pytest.skip.Exception,
    pytest.fail.Exception,
)
"""
Errors that prevent a drill from being played. A timeout is an OSError; an impossible answer of
a tool is a ValueError or an AssertionError; pytest's are raised if PostgreSQL is missing.
"""
LONGEST = 160


def reason(error: BaseException) -> str:
    """Return the reason in one line that fits a cell of a Markdown table."""
    if isinstance(error, subprocess.TimeoutExpired):
        command = error.cmd if isinstance(error.cmd, str) else " ".join(map(_name, error.cmd))
        text = f"took longer than {error.timeout:g} s: {command}"
    else:
        text = str(error) or type(error).__name__
    line = " ".join(text.partition("; see the logs in")[0].split()).replace("|", "/")
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"


def _name(word: object) -> str:
    """Return a program's name without its folder, and any other word as it is."""
    return word.name if isinstance(word, Path) else str(word)
