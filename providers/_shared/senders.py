"""The From of a provider of email, as its options name it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

_ADDRESS = re.compile(r"(?=[!-~]+\Z)[^\s@<>\"(),:;\[\]\\]{1,64}@([\w-]+\.)+[\w-]+")
# No control characters, line separators or explicit changes of direction: with them, the name could
# read differently, or begin another header. Half of a surrogate pair is not text.
_NAME = re.compile("[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")

SENDER_FORMS: Mapping[str, tuple[Callable[[str], object], str]] = {
    "sender": (
        _ADDRESS.fullmatch,
        "must be a bare address such as no-reply@example.com; a name goes into sender_name",
    ),
    "sender_name": (
        _NAME.fullmatch,
        "must be one plain line, without control characters or bidirectional overrides",
    ),
}
"""The forms of the options `sender` and `sender_name`, for `wrong_texts`."""
