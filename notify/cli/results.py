"""From requests to results: each checked, published and confirmed, in the order of reading."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from notify.cli.requests import Entry
from notify.errors import PublishError, Unconfirmed, Unroutable
from notify.publisher import Outgoing, Publisher

Check = Callable[[Entry], str]
"""Tells what is wrong with a request before it is published; nothing, if it is empty."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one request."""

    line: int
    id: str
    status: str
    """confirmed or valid; invalid, unroutable, unconfirmed or failed."""
    error: str = ""


def checked(entries: Iterable[Entry], check: Check) -> Iterator[Result]:
    """Check requests and publish nothing."""
    for entry in entries:
        wrong = check(entry)
        yield Result(entry.line, entry.id, "invalid" if wrong else "valid", wrong)


def published(
    entries: Iterable[Entry], check: Check, publisher: Publisher, *, routing_key: str
) -> Iterator[Result]:
    """Publish those requests that pass the check, a window at a time."""
    sent: deque[Entry] = deque()
    invalid: deque[Result] = deque()

    def outgoing() -> Iterator[Outgoing]:
        for entry in entries:
            if wrong := check(entry):
                invalid.append(Result(entry.line, entry.id, "invalid", wrong))
            else:
                sent.append(entry)
                yield Outgoing(body=entry.body, routing_key=routing_key, message_id=entry.id)

    for error in publisher.publish_many(outgoing()):
        entry = sent.popleft()
        while invalid and invalid[0].line < entry.line:
            yield invalid.popleft()
        yield Result(entry.line, entry.id, _status(error), str(error or ""))
    yield from invalid


def _status(error: PublishError | None) -> str:
    match error:
        case None:
            return "confirmed"
        case Unroutable():
            return "unroutable"
        case Unconfirmed():
            return "unconfirmed"
        case _:
            return "failed"
