"""How many examples the property tests try: all of them in continuous integration, else fewer."""

from __future__ import annotations

import os
from typing import Final

ALL: Final = bool(os.environ.get("CI"))
"""Whether CI is set: then each property test tries all of its examples."""


def examples(number: int) -> int:
    """Return `number` in continuous integration, else a quarter: the rest would take a minute."""
    return number if ALL else -(-number // 4)
