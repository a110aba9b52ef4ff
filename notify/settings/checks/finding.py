"""One mistake or warning with its key, and access to raw, unchecked values."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from notify.settings.sources import Key, Tree

# Any other part of a key may be a secret that was written on the wrong side of its equals sign.
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,31}|\*")


@dataclass(frozen=True, slots=True)
class ConfigFinding:
    """One mistake or warning."""

    key: str
    text: str
    line: int | None = None
    """Line in the file, counted from 1; None if the option is not in the file."""

    def __str__(self) -> str:
        """Return the line shown to the operator."""
        place = f" (line {self.line})" if self.line else ""
        return f"{self.key}: {self.text}{place}"


def shown_key(key: Key, tree: Tree) -> str:
    """Return the key as text, with its variable or credential if it came from one."""
    shown = ".".join(part if _PLAIN.fullmatch(part) else "(hidden)" for part in key)
    origin = tree.origin(key)
    if origin.kind in ("environment", "credential"):
        return f"{shown} ({origin.kind} {origin.name})"
    return shown


def suggestion(word: str, known: Sequence[str]) -> str:
    """Return a hint with the known word that was probably meant, or with all of them."""
    known = [each for each in known if _PLAIN.fullmatch(each)]
    by_letters = {each.lower(): each for each in known}
    near = difflib.get_close_matches(word.lower(), by_letters, n=1)
    if near:
        return f"did you mean {by_letters[near[0]]}?"
    return f"known are: {', '.join(known)}" if known else "none is defined"


def table_in(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a table of the raw values; empty if the value is not a table."""
    found = values.get(name)
    return found if isinstance(found, dict) else {}


def names_in(options: Any, name: str) -> list[str]:
    """Return a list of names from raw options; empty if the value is not a list of names."""
    value = options.get(name) if isinstance(options, dict) else None
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def no_value(secret: str) -> str:
    """Return the text of a missing secret."""
    return (
        f"no value for {secret}; provide it as a file of that name in $CREDENTIALS_DIRECTORY, or as"
        " an environment variable"
    )
