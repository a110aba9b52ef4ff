"""The command line, called within a test's own process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Done:
    """A command's output and exit code."""

    code: int
    out: str
    err: str


Notify = Callable[..., Done]
"""Calls the command line with the arguments after `notify`."""
