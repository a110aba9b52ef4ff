"""The attachments of a request to SendGrid: their mistakes, and what the inbox keeps of them."""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Iterator
from typing import Any

from notify.sandbox.sendgrid_checks import Fault


def faults_of_files(mail: dict[str, Any]) -> Iterator[Fault]:
    """Yield the mistakes in attachments for which SendGrid refuses a request."""
    files = mail.get("attachments", [])
    if not isinstance(files, list):
        yield "Must be an array.", "attachments"
        return
    for index, file in enumerate(files):
        place = f"attachments.{index}"
        if not isinstance(file, dict):
            yield "Must be an object.", place
            continue
        if not isinstance(file.get("filename"), str) or not file["filename"]:
            yield "The filename is required.", f"{place}.filename"
        if not _decoded(file.get("content")):
            text = "The attachment content must be base64 encoded."
            yield text, f"{place}.content"
        if file.get("disposition", "attachment") not in ("attachment", "inline"):
            text = "The disposition of your attachment can be either inline or attachment."
            yield text, f"{place}.disposition"


def kept_files(mail: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the attachments of a valid request without their content: its size and SHA-256."""
    return [_kept(file, _decoded(file["content"])) for file in mail.get("attachments", [])]


def _kept(file: dict[str, Any], content: bytes) -> dict[str, Any]:
    named = {name: file[name] for name in ("filename", "type", "content_id") if name in file}
    digest = hashlib.sha256(content).hexdigest()
    return {**named, "bytes": len(content), "sha256": digest}


def _decoded(content: object) -> bytes:
    """Return the content of a file; empty if it is not base64."""
    try:
        return binascii.a2b_base64(content if isinstance(content, str) else "", strict_mode=True)
    except ValueError:
        return b""
