"""The body of a dead letter as text, in all the ways in which it may be read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")


def readings(body: bytes | None) -> Iterator[str]:
    """Yield a body as it stands there; and as JSON, whose letters may be written in numbers."""
    if body is None:
        return
    text = body.decode(errors="replace")
    yield text
    yield body.replace(b"\0", b"").decode(errors="replace")
    document = document_of(body)
    if document is not None:
        yield json.dumps(document, ensure_ascii=False)
    # Also where it is JSON: of a key that stands twice, only the last value is in the document.
    if "\\u" in text:
        yield _ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), text)


def document_of(body: bytes) -> Any:
    """Return what a body says as JSON; None where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
