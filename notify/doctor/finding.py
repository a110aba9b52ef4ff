"""What a check of the doctor's found: how bad it is, and what ends it."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Severity(enum.StrEnum):
    """How bad a finding is."""

    OK = "ok"
    UNCHECKED = "unchecked"
    """It cannot be told from here; the fix is how to look."""
    WARN = "warn"
    """It works, and may not for long, or not as somebody expects."""
    FAIL = "fail"
    """Something does not work, or would be lost."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found."""

    check: str
    """The check's name, such as `topology`; one check may find several things."""
    verdict: Severity
    found: str
    fix: str | None = None
    """A command, or what to do; None where all is well."""


def ok(check: str, found: str) -> Finding:
    """All is well."""
    return Finding(check, Severity.OK, found)


def unchecked(check: str, found: str, *, fix: str) -> Finding:
    """It cannot be told from here."""
    return Finding(check, Severity.UNCHECKED, found, fix)


def warn(check: str, found: str, *, fix: str) -> Finding:
    """Somebody should know."""
    return Finding(check, Severity.WARN, found, fix)


def fail(check: str, found: str, *, fix: str) -> Finding:
    """Somebody must act."""
    return Finding(check, Severity.FAIL, found, fix)
