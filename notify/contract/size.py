"""How large a request may be: its body, and its attachments beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from notify.contract.limits import Limits
from notify.contract.problem import Problem

_ATTACHMENTS = b'"attachments"'


def too_large(size: int, limit: int) -> Problem | None:
    """Return the problem of a body of more bytes than `limit`, else None; nothing is parsed."""
    if size <= limit:
        return None
    return Problem("", f"the body is larger than {limit} bytes", "send less, or several requests")


def attached_bytes(document: Mapping[str, Any]) -> int:
    """Return the bytes of a parsed request that are the content of its attachments, in base64."""
    files = document.get("attachments")
    if not isinstance(files, list):
        return 0
    contents = (file.get("content") for file in files if isinstance(file, dict))
    return sum(len(content) for content in contents if isinstance(content, str))


def size_problem(document: Mapping[str, Any], size: int, limits: Limits) -> Problem | None:
    """
    Return the problem of a parsed request's size; None if it has none.

    Args:
        size: The bytes of its body.
    """
    encoded = attached_bytes(document)
    if not encoded:
        return too_large(size, limits.max_body_bytes)
    most = limits.max_attachment_bytes
    if encoded > in_base64(most):
        why = f"the files are larger than {most} bytes together"
        return Problem("attachments", why, "link to the files instead")
    return too_large(size - encoded, limits.max_body_bytes)


def largest_request(limits: Limits, *, attaches: bool) -> int:
    """
    Return the most bytes of a request's body.

    Args:
        attaches: Whether it may have attachments.
    """
    return limits.max_body_bytes + (in_base64(limits.max_attachment_bytes) if attaches else 0)


def most_bytes(body: bytes, limits: Limits, *, attaches: bool) -> int:
    """Return the most bytes that this body may have, before it is parsed."""
    if len(body) <= limits.max_body_bytes or not attaches or _ATTACHMENTS not in body:
        return limits.max_body_bytes
    return largest_request(limits, attaches=True)


def in_base64(size: int) -> int:
    """Return the characters of base64 for so many bytes."""
    return (size + 2) // 3 * 4
