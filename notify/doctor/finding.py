"""A finding of the doctor: how bad it is, and how to fix it."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any


class Severity(enum.StrEnum):
    """How bad a finding is."""

    OK = "ok"
    UNCHECKED = "unchecked"
    """It cannot be checked from here; the fix says how to check it."""
    WARN = "warn"
    """It works, but perhaps not for long, or not as expected."""
    FAIL = "fail"
    """Something does not work, or would be lost."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found."""

    check: str
    """The check's name, such as `topology`; one check may report several findings."""
    verdict: Severity
    found: str
    fix: str | None = None
    """A command, or what to do; None if nothing is wrong."""


def ok(check: str, found: str) -> Finding:
    """Return a finding that nothing is wrong."""
    return Finding(check, Severity.OK, found)


def unchecked(check: str, found: str, *, fix: str) -> Finding:
    """Return a finding that something cannot be checked from here."""
    return Finding(check, Severity.UNCHECKED, found, fix)


def warn(check: str, found: str, *, fix: str) -> Finding:
    """Return a finding that operators should know of."""
    return Finding(check, Severity.WARN, found, fix)


def fail(check: str, found: str, *, fix: str) -> Finding:
    """Return a finding that operators must act on."""
    return Finding(check, Severity.FAIL, found, fix)


def worst(findings: Collection[Finding]) -> Severity:
    """Return the worst severity; OK if nothing failed and nothing is doubtful."""
    found = {finding.verdict for finding in findings}
    return next((each for each in (Severity.FAIL, Severity.WARN) if each in found), Severity.OK)


def findings_as_json(findings: Collection[Finding]) -> dict[str, Any]:
    """Return findings as `notify doctor --json` prints them."""
    counts = Counter(finding.verdict.value for finding in findings)
    return {
        "verdict": worst(findings).value,
        "counts": {verdict.value: counts[verdict.value] for verdict in Severity},
        "findings": [asdict(finding) for finding in findings],
    }
