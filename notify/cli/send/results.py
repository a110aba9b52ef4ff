"""Check, publish and confirm requests; results are in the order of reading."""

from __future__ import annotations

import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from notify.cli.send.requests import PreparedRequest
from notify.contract import counted
from notify.errors import NotifyError, PublishError, Unconfirmed, Unroutable
from notify.message import Channel
from notify.publisher import Outgoing, Publisher

Check = Callable[[PreparedRequest], str]
"""Returns the problem of a request before it is published; empty if there is none."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one request."""

    line: int
    id: str
    status: str
    """confirmed or valid; invalid, unroutable, unconfirmed or failed."""
    error: str = ""
    note: str = ""
    """The units that a provider will count, such as `2 segments`; empty if that is one message."""


class Source:
    """
    Requests as they are read and checked. A failure ends the reading like the last line does, so
    that requests published before it are still confirmed and reported.

    Attributes:
        stopped: Why the reading ended early; empty if it did not.
        last: The line of the last request that was read.
    """

    def __init__(self, entries: Iterable[PreparedRequest], check: Check) -> None:
        self.stopped = ""
        self.last = 0
        self._entries = iter(entries)
        self._check = check
        self._reading = False

    def __iter__(self) -> Iterator[tuple[PreparedRequest, str]]:
        while not self.stopped and (found := self._next()) is not None:
            self.last = found[0].line
            yield found

    def stop(self, why: str) -> None:
        """Read no more requests."""
        self.stopped = self.stopped or why

    def interrupt(self) -> None:
        """Read no more requests, and end a blocked read; called by a signal handler."""
        again = bool(self.stopped)
        self.stop("interrupted")
        if self._reading or again:
            raise KeyboardInterrupt

    def _next(self) -> tuple[PreparedRequest, str] | None:
        """Read and check the next request."""
        try:
            self._reading = True
            entry = next(self._entries, None)
            return None if entry is None else (entry, self._check(entry))
        except NotifyError as error:
            self.stop(str(error))
        except OSError as error:
            self.stop(
                f"the file cannot be read any further: {error.strerror or type(error).__name__}"
            )
        except (ValueError, RecursionError, MemoryError) as error:
            self.stop(f"the next request cannot be read ({type(error).__name__})")
        except KeyboardInterrupt:
            self.stop("interrupted")
        finally:
            self._reading = False
        return None


@contextmanager
def stopped_by_signals(source: Source) -> Iterator[None]:
    """Stop the source on Ctrl-C, SIGTERM or SIGHUP; a second signal ends the command."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {each: signal.signal(each, lambda *_: source.interrupt()) for each in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def checked(source: Source, channel: Channel) -> Iterator[Result]:
    """Check requests for a channel and publish nothing."""
    for entry, wrong in source:
        note = "" if wrong else counted(entry.body, channel) or ""
        yield Result(entry.line, entry.id, "invalid" if wrong else "valid", wrong, note)


def published(source: Source, publisher: Publisher, *, routing_key: str) -> Iterator[Result]:
    """Publish the requests that pass the check, a window at a time."""
    sent: deque[PreparedRequest] = deque()
    invalid: deque[Result] = deque()

    def outgoing() -> Iterator[Outgoing]:
        for entry, wrong in source:
            if wrong:
                invalid.append(Result(entry.line, entry.id, "invalid", wrong))
            else:
                sent.append(entry)
                yield Outgoing(body=entry.body, routing_key=routing_key, message_id=entry.id)

    for error in publisher.publish_many(outgoing()):
        entry = sent.popleft()
        while invalid and invalid[0].line < entry.line:
            yield invalid.popleft()
        yield Result(entry.line, entry.id, _status(error), _error_text(error))
    yield from invalid


def _error_text(error: PublishError | None) -> str:
    """Return what happened, and what to try next."""
    hint = "; see `notify topology diff`" if isinstance(error, Unroutable) else ""
    return f"{error}{hint}" if error else ""


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
