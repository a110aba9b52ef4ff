"""Sending again, apart from its neighbours, what only its request kept from being sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from notify.delivery.call import CallResult

MOST_REQUESTS = 24
"""Further requests for one call. Halving finds one refused message in a thousand with 20."""


def resolved(
    results: Sequence[CallResult], send_again: Callable[[Sequence[int]], Sequence[CallResult]]
) -> list[CallResult]:
    """
    Return the results of a call's messages after its `CallResult.apart` were sent again.

    If the provider named the refused messages, the others are sent without them; if not, in halves.
    After `MOST_REQUESTS`, the messages left are as the call left them: not sent.

    Args:
        results: The results of the first request.
        send_again: Sends the messages at these positions in one request.
    """
    final = list(results)
    waiting = [*_next(range(len(final)), final)]
    for _ in range(MOST_REQUESTS):
        if not waiting:
            break
        positions = waiting.pop()
        for position, result in zip(positions, send_again(positions), strict=True):
            final[position] = result
        waiting += _next(positions, final)
    return final


def _next(positions: Sequence[int], results: Sequence[CallResult]) -> Iterator[Sequence[int]]:
    """Yield the requests that follow one request."""
    apart = [position for position in positions if results[position].apart]
    if not apart or len(positions) == 1:
        return
    if len(apart) < len(positions):
        yield apart
        return
    half = len(apart) // 2
    yield apart[:half]
    yield apart[half:]
