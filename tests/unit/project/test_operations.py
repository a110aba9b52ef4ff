"""The commands of docs/operations.md exist, and alerts find their sections."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from notify.cli import notify

PAGE = Path(__file__).parents[3] / "docs" / "operations.md"
ALERTED = {
    "broker-away",
    "dead-letters-grow",
    "disk-full",
    "ledger-difference",
    "limit-saturated",
    "provider-down",
    "queue-grows",
    "store-away",
    "unknown-outcomes",
    "worker-down",
}
"""The sections that alerts link to."""
ASKED_FOR = {
    "broker-from-debian-12-to-13",
    "database-from-debian-12-to-13",
    "install",
    "rabbitmq-node-lost",
    "roll-back",
    "rotate-a-key",
    "scale-out",
    "upgrade",
    "worker-machines-from-debian-12-to-13",
}


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as links name them."""
    return {title.lower().replace(" ", "-") for title in re.findall(r"^## (.+)$", text, re.M)}


def commands(text: str) -> Iterator[str]:
    """Yield the commands: lines of code blocks, and code within a line."""
    blocks = re.findall(r"^```\w*\n(.*?)^```$", text, re.M | re.S)
    lines = [line for block in blocks for line in block.splitlines()]
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```\w*\n.*?^```$", "", text, flags=re.M | re.S))
    for line in [*lines, *spans]:
        for part in re.split(r"&&|[|>]", line.partition("  #")[0]):
            if found := re.match(
                r"(?:\w+=\S+ |runuser .* -- |xargs )?(notify [a-z].*)", part.strip()
            ):
                yield found[1]


def mistake(line: str) -> str | None:
    """Return a command line's mistake, or None."""
    words = shlex.split(line)[1:]
    command: click.Command = notify
    with click.Context(notify) as context:
        while isinstance(command, click.Group):
            inner = command.get_command(context, words[0]) if words else None
            if inner is None:
                return f"{line}: there is no such command"
            command, words = inner, words[1:]
    known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
    unknown = {word for word in words if word.startswith("--")} - known
    return f"{line}: {', '.join(sorted(unknown))} is no option" if unknown else None


def test_every_command_exists_with_its_options() -> None:
    """An operator at three in the morning must not have to guess."""
    found = set(commands(PAGE.read_text()))
    assert len(found) > 30
    assert [told for line in sorted(found) if (told := mistake(line))] == []


@pytest.mark.parametrize(
    "line", ["notify holdd --all", "notify dead", "notify dead replay --reason x --every 17"]
)
def test_a_command_that_does_not_exist_is_found(line: str) -> None:
    """The check above is not vacuous."""
    assert mistake(line)


def test_alerts_and_operators_find_their_sections() -> None:
    """Links into the page, and within it, have a target."""
    text = PAGE.read_text()
    there = anchors(text)
    assert there >= ALERTED | ASKED_FOR
    assert set(re.findall(r"\]\(#([a-z-]+)\)", text)) <= there
