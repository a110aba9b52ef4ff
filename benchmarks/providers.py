"""
CPU time of each provider for one message: building the request, the call, reading the answer.

The vendor's stand-in is another process, and answers at once. `python -m benchmarks.providers` runs
this alone.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any

from notify.message import Channel, Rendered
from notify.provider import Provider
from tests.support.smtp_relay import SmtpRelay
from tests.support.vendor import Vendor
from tests.unit.providers.dialects import MESSAGE, OVER_HTTP, Dialect
from tests.unit.providers.dialects.smtp import BOUNCE_KEY, smtp

MESSAGES = 2000
WARM_UP = 100
BASELINE = "sendgrid"
EMAIL = replace(
    MESSAGE,
    subject="Your invoice of November",
    text="Hello Ann,\n\n" + "your invoice of ten euros is attached. Grüße.\n" * 12,
    html="<html><body>" + "<p>your invoice of ten euros is attached. Grüße.</p>\n" * 40,
)
"""Half a kilobyte of text and two of HTML."""

Serve = Callable[[Connection], None]


@dataclass(frozen=True, slots=True)
class Cost:
    """
    The cost of a provider.

    Attributes:
        cpu_ms: CPU milliseconds of the sending process for a message.
    """

    channel: Channel
    name: str
    cpu_ms: float


def costs(*, messages: int = MESSAGES) -> list[Cost]:
    """Measure each provider in turn."""
    found = [
        Cost(each.channel, each.name, _of_dialect(each, messages=messages)) for each in OVER_HTTP
    ]
    for name, features in (("smtp", ("PIPELINING", "DSN")), ("smtp, no pipelining", ())):
        found.append(Cost(Channel.EMAIL, name, _of_smtp(features, messages=messages)))
    return sorted(found, key=lambda each: (each.channel, each.cpu_ms))


def provider_costs(found: Sequence[Cost]) -> str:
    """Return the costs as a Markdown table, each beside SendGrid's."""
    baseline = next(each.cpu_ms for each in found if each.name == BASELINE)
    rows = [
        (each.channel, each.name, f"{each.cpu_ms:.3f}", f"{each.cpu_ms / baseline:.2f}")
        for each in found
    ]
    head = "| channel | provider | CPU ms a message | beside SendGrid's |\n|---|---|--:|--:|"
    return "\n".join([head, *(f"| {' | '.join(row)} |" for row in rows)])


def _of_dialect(dialect: Dialect, *, messages: int) -> float:
    def serve(pipe: Connection) -> None:
        def report(**options: Any) -> Any:
            pipe.send(options["base_url"])

        with Vendor() as vendor:
            # The dialect decides what is in front of the vendor, such as HTTP/2.
            replace(dialect, make=report).build(vendor, "accepted")
            pipe.recv()

    message = EMAIL if dialect.channel is Channel.EMAIL else MESSAGE
    with _elsewhere(serve) as url:
        return _cpu_ms(dialect.make(base_url=url), message, messages=messages)


def _of_smtp(features: tuple[str, ...], *, messages: int) -> float:
    def serve(pipe: Connection) -> None:
        with SmtpRelay(features=features) as relay:
            pipe.send(str(relay.port))
            pipe.recv()

    options: Mapping[str, str] = {
        "return_path": "bounces@bounces.example.com",
        "bounce_key": BOUNCE_KEY,
    }
    with _elsewhere(serve) as port:
        provider = smtp(SmtpRelay(port=int(port)), **options)
        return _cpu_ms(provider, EMAIL, messages=messages)


@contextmanager
def _elsewhere(serve: Serve) -> Iterator[str]:
    """Run a stand-in in a process of its own; yield the address that it reports."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=serve, args=(theirs,))
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.send(None)
        process.join()


def _cpu_ms(provider: Provider, message: Rendered, *, messages: int) -> float:
    try:
        for _ in range(WARM_UP):
            provider.send(message)
        began = time.process_time()
        for _ in range(messages):
            provider.send(message)
        return (time.process_time() - began) / messages * 1000
    finally:
        provider.close()


if __name__ == "__main__":
    print(provider_costs(costs()))
