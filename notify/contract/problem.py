"""Problems of a request: the place, the reason and the fix, never the value."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

from notify.channels import CHANNELS, Part
from notify.errors import DecodeError

# The contract's own field names; any other name is the producer's, and may be a person's.
FIELDS = frozenset(Part.model_fields).union(
    *(each.request.model_fields.keys() | each.refused.keys() for each in CHANNELS.values())
)
# By field, the names in the objects that it contains.
_INSIDE = {
    field: frozenset(model.model_fields)
    for channel in CHANNELS.values()
    for field, model in channel.inside.items()
}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}")
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake, and where it is."""

    where: str
    """The JSON path, such as `to[3].data.*`; a name that the contract does not define is `*`."""
    why: str
    """The reason, without the value."""
    hint: str = ""
    """The fix, or empty."""
    line: int | None = None
    """Counted from 1; set for broken JSON only."""
    column: int | None = None
    """Counted from 1, in characters; set for broken JSON only."""
    named: str = ""
    """The path with all names, only for the author of the body: never log or store it."""

    @classmethod
    def at(cls, parts: Sequence[str | int], why: str, hint: str) -> Self:
        """Return the problem at the path of *parts*."""
        inside = _INSIDE.get(str(parts[0]), frozenset()) if parts else frozenset()
        names = FIELDS | inside
        return cls(_path(parts, names.__contains__), why, hint, named=_path(parts, is_name))

    @property
    def for_author(self) -> str:
        """The text with all names, for the terminal of the body's author."""
        return str(replace(self, where=self.named or self.where))

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        position = f" at line {self.line}, column {self.column}" if self.line else ""
        fix = f" ({self.hint})" if self.hint else ""
        return f"{place}{self.why}{position}{fix}"


class RequestInvalid(DecodeError):
    """
    A request breaks the contract.

    Attributes:
        problems: Every mistake found. The error's text has the first five, each with its fix, and
            their number.
    """

    def __init__(self, problems: Sequence[Problem], *, count: int | None = None) -> None:
        self.problems = list(problems)
        count = len(problems) if count is None else count
        # Several unknown fields have the same text, since it omits their names.
        texts = dict.fromkeys(str(problem) for problem in problems)
        text = "; ".join([*texts][:_NAMED])
        if count > _NAMED:
            text += f"; {count} problems in total"
        super().__init__(text)


def is_name(text: str) -> bool:
    """Whether a key looks like a field's name, so that its author may see it."""
    return _NAME.fullmatch(text) is not None


def _path(parts: Sequence[str | int], shown: Callable[[str], bool]) -> str:
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if shown(part) else ".*"
    return text.removeprefix(".")
