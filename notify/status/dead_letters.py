"""Dead letters as JSON."""

from __future__ import annotations

import base64
from dataclasses import asdict
from typing import Any

from notify.status.letter_body import readable
from notify.store.deadletters import ArchivedLetter, DeadLetter


def letter_as_json(letter: DeadLetter) -> dict[str, Any]:
    """Return a dead letter as `notify dead ls --json` prints it, without its content."""
    return asdict(letter)


def content_as_json(letter: ArchivedLetter, *, show_recipients: bool) -> dict[str, Any]:
    """
    Return a dead letter's content as `notify dead show --json` adds it.

    Args:
        show_recipients: Include the body as it is; otherwise recipients in it are masked.
    """
    edited = letter.mended_body
    whole = show_recipients
    return {
        "properties": letter.properties,
        "body_base64": base64.b64encode(letter.body).decode() if whole else None,
        "body": readable(letter.body, show_recipients=whole),
        "mended_body": readable(edited, show_recipients=whole) if edited is not None else None,
        "mended_key": letter.mended_key,
    }
