"""What is wrong with a request, in words that name the place and the reason but never the value."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic_core import PydanticCustomError

from notify.errors import DecodeError

# A name chosen by the producer is shown only if it looks like one: a key can be an address too.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}")
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and where."""

    where: str
    """The JSON path, such as `to[3].data`; empty for the whole body."""
    why: str
    """The reason, without the value."""
    hint: str = ""
    """What to do about it, or empty."""
    line: int | None = None
    """Counted from 1; known for broken JSON only."""
    column: int | None = None
    """Counted from 1, in characters; known for broken JSON only."""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        position = f" at line {self.line}, column {self.column}" if self.line else ""
        return f"{place}{self.why}{position}"


class Refused(DecodeError):
    """
    A request that does not keep the contract, with its problems as values.

    Attributes:
        problems: What is wrong; the error's text names the first five and how many there are.
    """

    def __init__(self, problems: Sequence[Problem], *, count: int | None = None) -> None:
        self.problems = list(problems)
        count = len(problems) if count is None else count
        text = "; ".join(str(problem) for problem in problems[:_NAMED])
        if count > _NAMED:
            text += f"; {count} problems in all"
        super().__init__(text)


def refuse(why: str, hint: str) -> PydanticCustomError:
    """Build the error that a field's check raises; neither text may hold a part of the value."""
    return PydanticCustomError("refused", "{why}", {"why": why, "hint": hint})


def is_name(text: str) -> bool:
    """Tell whether a key looks like a field's name, so that it may be shown."""
    return _NAME.fullmatch(text) is not None


def path(parts: Sequence[str | int]) -> str:
    """Write a JSON path as `to[3].data`; a name that may hold personal data becomes `*`."""
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if is_name(part) else ".*"
    return text.removeprefix(".")
