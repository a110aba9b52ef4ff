"""`except Exception` is an exception: each one says why."""

from __future__ import annotations

from pathlib import Path

import notify

PACKAGE = Path(notify.__file__).parent


def test_each_broad_except_says_why_and_is_named() -> None:
    """A comment stands on its line or in the next three, and CONTRIBUTING.md names its file."""
    named = (PACKAGE.parent / "CONTRIBUTING.md").read_text()
    reasons = {}
    for path in PACKAGE.rglob("*.py"):
        name, lines = str(path.relative_to(PACKAGE)), path.read_text().splitlines()
        for number, line in enumerate(lines):
            if "except Exception" in line:
                reasons[name, number] = "# " in " ".join(lines[number : number + 4])
    assert reasons
    assert not [place for place, commented in reasons.items() if not commented]
    assert not {name for name, _ in reasons if f"`{name}`" not in named}
