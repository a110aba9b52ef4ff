"""What a command line left behind, for tests that call it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str


Notify = Callable[..., Done]
"""Calls the command line with the words after `notify`."""
