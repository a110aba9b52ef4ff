"""The body of a dead letter as text, in every form to search."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")


def searchable_texts(body: bytes | None) -> Iterator[str]:
    """Yield a body as it is; and, if it is JSON, with its escapes decoded."""
    if body is None:
        return
    text = body.decode(errors="replace")
    yield text
    yield body.replace(b"\0", b"").decode(errors="replace")
    document = document_of(body)
    if document is not None:
        yield json.dumps(document, ensure_ascii=False)
    # Also for JSON: of a repeated key, the document has only the last value.
    if "\\u" in text:
        yield _ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), text)


def document_of(body: bytes) -> Any:
    """Return a body parsed as JSON; None if it is not JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
