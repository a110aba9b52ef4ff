"""What is wrong with a request, in words that name the place and the reason but never the value."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

from notify.channels import CHANNELS, Part
from notify.errors import DecodeError

# Names of the contract's own fields; any other name is the producer's, and may be a person's.
FIELDS = frozenset(Part.model_fields).union(
    *(channel.request.model_fields for channel in CHANNELS.values())
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}")
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and where."""

    where: str
    """The JSON path, such as `to[3].data.*`; a name that is not the contract's own is `*`."""
    why: str
    """The reason, without the value."""
    hint: str = ""
    """What to do about it, or empty."""
    line: int | None = None
    """Counted from 1; known for broken JSON only."""
    column: int | None = None
    """Counted from 1, in characters; known for broken JSON only."""
    named: str = ""
    """The path with all its names, for the author of the body alone: never log or keep it."""

    @classmethod
    def at(cls, parts: Sequence[str | int], why: str, hint: str) -> Self:
        """Make a problem of the place that *parts* lead to."""
        return cls(_path(parts, FIELDS.__contains__), why, hint, named=_path(parts, is_name))

    @property
    def for_author(self) -> str:
        """The text with all names, for the terminal of whoever wrote the body."""
        return str(replace(self, where=self.named or self.where))

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        position = f" at line {self.line}, column {self.column}" if self.line else ""
        fix = f" ({self.hint})" if self.hint else ""
        return f"{place}{self.why}{position}{fix}"


class RequestInvalid(DecodeError):
    """
    A request that does not keep the contract, with its problems as values.

    Attributes:
        problems: What is wrong. The error's text names the first five, each with its fix, and how
            many there are.
    """

    def __init__(self, problems: Sequence[Problem], *, count: int | None = None) -> None:
        self.problems = list(problems)
        count = len(problems) if count is None else count
        # Several unknown fields read alike once their names are left out.
        texts = dict.fromkeys(str(problem) for problem in problems)
        text = "; ".join([*texts][:_NAMED])
        if count > _NAMED:
            text += f"; {count} problems in all"
        super().__init__(text)


def is_name(text: str) -> bool:
    """Tell whether a key looks like a field's name, so that its author may be shown it."""
    return _NAME.fullmatch(text) is not None


def _path(parts: Sequence[str | int], shown: Callable[[str], bool]) -> str:
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if shown(part) else ".*"
    return text.removeprefix(".")
