"""
Print the part of requirements.lock that the service itself needs, without its developers' tools.

    python scripts/runtime-lock.py < requirements.lock > runtime.lock

The lock names under each requirement the packages that require it.
"""

from __future__ import annotations

import re
import sys

ITSELF = "notify-service (pyproject.toml)"


def runtime(lock: str) -> str:
    """Return the requirements of the service, direct and indirect."""
    blocks = {
        text.split("==")[0]: text for text in re.split(r"^(?=[a-z0-9])", lock, flags=re.M | re.I)
    }
    askers = {name: set(re.findall(r"#(?: via)? +(\S.*)", text)) for name, text in blocks.items()}
    needed = {ITSELF}
    while more := {name for name in askers if askers[name] & needed} - needed:
        needed |= more
    return "".join(text for name, text in blocks.items() if name in needed)


if __name__ == "__main__":
    sys.stdout.write(runtime(sys.stdin.read()))
