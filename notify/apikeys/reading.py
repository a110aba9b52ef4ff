"""Reading a request of the API: one notification, an array, or JSON Lines, with every mistake."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from notify.contract import Problem, RequestInvalid, parse, parse_array
from notify.errors import DecodeError
from notify.message import Channel

MOST = 1000
"""Notifications of one request."""


@dataclass(frozen=True, slots=True)
class WrongItem:
    """One mistake, and the notification that it is in."""

    index: int
    """From 0; 0 where the whole request is wrong."""
    problem: Problem


class BodyRefused(DecodeError):
    """
    A request breaks the contract; nothing of it was published.

    Attributes:
        wrong: Every mistake.
    """

    def __init__(self, wrong: Sequence[WrongItem]) -> None:
        self.wrong = wrong
        super().__init__("; ".join(str(each.problem) for each in wrong[:5]))


@dataclass(frozen=True, slots=True)
class SentItem:
    """One notification as it was written: the contract's JSON, with its channel and lane."""

    channel: Channel
    lane: str
    document: dict[str, Any]
    """Without the two."""


def read_one(body: bytes) -> list[dict[str, Any]]:
    """
    Return the objects of a body in JSON: one, or those of an array.

    Raises:
        BodyRefused: It is not JSON, or not of this form.
    """
    try:
        if body.lstrip()[:1] == b"[":
            return _counted(parse_array(body))
        return [parse(body)]
    except RequestInvalid as error:
        raise BodyRefused([WrongItem(0, each) for each in error.problems]) from None


def read_lines(body: bytes) -> list[dict[str, Any]]:
    """
    Return the objects of a body in JSON Lines; blank lines are skipped.

    Raises:
        BodyRefused: A line is not a JSON object.
    """
    documents: list[dict[str, Any]] = []
    wrong: list[WrongItem] = []
    lines = ((at, line) for at, line in enumerate(body.splitlines(), 1) if line.strip())
    # Not all of them: a small body may have a million lines.
    for index, (number, line) in enumerate(islice(lines, MOST + 1)):
        try:
            documents.append(parse(line))
        except RequestInvalid as error:
            wrong += [WrongItem(index, _at_line(each, number)) for each in error.problems]
    if wrong:
        raise BodyRefused(wrong)
    return _counted(documents)


def routed(
    documents: Sequence[dict[str, Any]], lanes: Sequence[str]
) -> Iterator[SentItem | list[Problem]]:
    """Yield each notification with its channel and lane, or what is wrong with these."""
    channels: Mapping[object, Channel] = {each.value: each for each in Channel}
    for document in documents:
        name, lane = document.pop("channel", None), document.pop("lane", None)
        channel = channels.get(name) if isinstance(name, str) else None
        if channel is not None and lane in lanes and document.get("batch") is None:
            yield SentItem(channel, lane, document)
            continue
        found = [*_channel_problems(name), *_lane_problems(lane, lanes)]
        if document.get("batch") is not None:
            hint = "remove it; only the service writes it"
            found.append(Problem("batch", "is not allowed here", hint))
        yield found


def _counted(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if not documents:
        problem = Problem("", "there is no notification", "send at least one")
        raise BodyRefused([WrongItem(0, problem)])
    if len(documents) > MOST:
        problem = Problem("", f"more than {MOST} notifications", "send the rest in another request")
        raise BodyRefused([WrongItem(0, problem)])
    return documents


def _at_line(problem: Problem, number: int) -> Problem:
    return replace(problem, line=number, column=problem.column or 1)


def _channel_problems(channel: object) -> Iterator[Problem]:
    names = ", ".join(Channel)
    if channel is None:
        yield Problem("channel", "required", f"write one of {names}")
    elif channel not in list(Channel):
        yield Problem("channel", "there is no such channel", f"write one of {names}")


def _lane_problems(lane: object, lanes: Sequence[str]) -> Iterator[Problem]:
    hint = f"write one of {', '.join(lanes)}"
    if lane is None:
        yield Problem("lane", "required", hint)
    elif lane not in lanes:
        yield Problem("lane", "no such lane is configured", hint)


def with_key(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    """
    Return a document with the idempotency key of the request's header.

    Raises:
        BodyRefused: It has another one already.
    """
    own = document.get("idempotency_key")
    if own is not None and own != key:
        why = "another key than that of the header Idempotency-Key"
        raise BodyRefused([WrongItem(0, Problem("idempotency_key", why, "write one of both"))])
    return {**document, "idempotency_key": key}
