"""The enhanced status codes of mail servers (RFC 3463), as texts contain them, and their blame."""

from __future__ import annotations

import re

from notify.receipt import Blame

_ENHANCED = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_LONGEST_TEXT = 1000
# 5.1.7 and 5.1.8 are the sender's address; the other codes 5.1.x are the recipient's (RFC 3463).
_BAD_ADDRESS = re.compile(r"5\.1\.(?![078]$)\d{1,3}")
_SENDER = frozenset({"5.1.7", "5.1.8"})
# Too long, too large for the system or for conversion; and all about media and content.
_MESSAGE = re.compile(r"5\.(2\.3|3\.4|6\.\d{1,3})")


def enhanced_code(*texts: str) -> str | None:
    """Return the first enhanced status code in the texts, such as `5.1.1`; None without one."""
    for text in texts:
        if found := _ENHANCED.search(text[:_LONGEST_TEXT]):
            return found[1]
    return None


def is_bad_address(code: str | None) -> bool:
    """Whether a code says that the recipient's address can never receive mail."""
    return code is not None and _BAD_ADDRESS.fullmatch(code) is not None


def blame_of(code: str | None) -> Blame:
    """Return whose fault a bounce with a code is."""
    if code is None:
        return Blame.MOMENT
    if code.startswith("5.7.") or code in _SENDER:
        return Blame.SENDER
    if is_bad_address(code):
        return Blame.RECIPIENT
    return Blame.MESSAGE if _MESSAGE.fullmatch(code) else Blame.MOMENT
