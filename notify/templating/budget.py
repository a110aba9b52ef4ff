"""The limits of the loops of one message, counted while it renders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context

from notify.templating.refused import ValueRefused

MAX_RANGE = 1_000
"""The most numbers of one `range`."""
MAX_STEPS = 100_000
"""The most iterations of all loops of one message together."""
BUDGET = "loop budget"
"""The key of a render's `Budget` among its values: a name that no template can write."""


class Budget:
    """The iterations that the loops of one message have left."""

    __slots__ = ("left",)

    def __init__(self, steps: int = MAX_STEPS) -> None:
        self.left = steps

    def spend(self) -> None:
        """Count one iteration; raise `ValueRefused` if none is left."""
        self.left -= 1
        if self.left < 0:
            raise ValueRefused(f"the loops have more than {MAX_STEPS:,} iterations")


@pass_context
def counted(context: Context, values: Iterable[Any]) -> Iterator[Any]:
    """Yield a loop's values; raise `ValueRefused` once the message's budget is spent."""
    budget = context[BUDGET]
    for value in values:
        budget.spend()
        yield value


def short_range(*bounds: int) -> range:
    """Return a `range` of at most `MAX_RANGE` numbers; else raise `ValueRefused`."""
    numbers = range(*bounds)
    if len(numbers) > MAX_RANGE:
        raise ValueRefused(f"range has more than {MAX_RANGE:,} numbers")
    return numbers
