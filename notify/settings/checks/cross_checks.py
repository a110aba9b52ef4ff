"""Checks across options: names that must exist elsewhere, options that need each other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from notify.settings.checks.categories import category_problems
from notify.settings.checks.channels import channel_problems
from notify.settings.checks.finding import ConfigFinding, names_in, shown_key, suggestion, table_in
from notify.settings.checks.senders import sender_problems
from notify.settings.metrics import PORTS
from notify.settings.model import LONGEST_TIMEOUT, ChannelSettings, ProviderSettings
from notify.settings.sources import Tree

_Table = TypeVar("_Table", bound=BaseModel)

# Section, its option with a list of names, and the section that must define them.
_REFERENCES = (
    ("pools", "lanes", "lanes"),
    ("channels", "providers", "providers"),
    ("providers", "limits", "limits"),
    ("limits", "exempt", "lanes"),
    ("caps", "exempt", "lanes"),
    ("categories", "lanes", "lanes"),
)


def cross_checks(tree: Tree) -> Iterator[ConfigFinding]:
    """Yield every mistake across options, from the raw values, so that one run reports all."""
    for section, option, meant in _REFERENCES:
        known = list(table_in(tree.values, meant))
        for name, options in table_in(tree.values, section).items():
            words = names_in(options, option)
            for position, word in enumerate(words):
                key = shown_key((section, name, option), tree)
                if word not in known:
                    text = f"number {position + 1} is not in [{meant}]; {suggestion(word, known)}"
                    yield ConfigFinding(key, text)
                elif word in words[:position]:
                    yield ConfigFinding(key, f"number {position + 1} is a duplicate; remove it")
    yield from _limits(tree)
    yield from _ports(tree)
    providers = _valid_tables(ProviderSettings, tree, "providers")
    for name, channel in _valid_tables(ChannelSettings, tree, "channels").items():
        for below, text in channel_problems(name, channel, providers):
            yield ConfigFinding(shown_key(("channels", name, *below), tree), text)
    yield from category_problems(tree)
    yield from sender_problems(tree)
    yield from _timeouts(tree)
    yield from _tls(tree)


def _timeouts(tree: Tree) -> Iterator[ConfigFinding]:
    for name, provider in table_in(tree.values, "providers").items():
        options = table_in(provider, "options") if isinstance(provider, dict) else {}
        seconds = options.get("timeout", LONGEST_TIMEOUT)
        number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        if not number or not 0 < seconds <= LONGEST_TIMEOUT:
            key = shown_key(("providers", name, "options", "timeout"), tree)
            text = (
                f"must be a number of seconds, written in the file, above 0 and at most"
                f" {LONGEST_TIMEOUT:g}: a call that outlasts its claim could be made twice"
            )
            yield ConfigFinding(key, text)


def _limits(tree: Tree) -> Iterator[ConfigFinding]:
    limits = table_in(tree.values, "limits")
    each_has_its_own = {
        name for name, options in limits.items() if isinstance(options, dict) and "per" in options
    }
    for name, options in table_in(tree.values, "providers").items():
        for position, word in enumerate(names_in(options, "limits")):
            if word in each_has_its_own:
                key = shown_key(("providers", name, "limits"), tree)
                text = (
                    f"number {position + 1} has `per` and is for its whole channel; remove it here"
                )
                yield ConfigFinding(key, text)


def _ports(tree: Tree) -> Iterator[ConfigFinding]:
    pools = [*PORTS, *table_in(tree.values, "pools")]
    for name in table_in(table_in(tree.values, "metrics"), "ports"):
        if name not in pools:
            key = shown_key(("metrics", "ports", name), tree)
            yield ConfigFinding(key, f"no pool has this name; {suggestion(name, pools)}")


def _valid_tables(model: type[_Table], tree: Tree, section: str) -> dict[str, _Table]:
    """Return the valid tables of a section; the others are reported already."""
    found = {}
    for name, raw in table_in(tree.values, section).items():
        try:
            found[name] = model.model_validate(raw)
        except ValidationError:
            continue
    return found


def _tls(tree: Tree) -> Iterator[ConfigFinding]:
    amqp = table_in(tree.values, "amqp")
    on = str(amqp.get("tls", False)).lower() in ("true", "1", "yes", "on")
    for option in ("ca_file", "cert_file", "key_file"):
        if option in amqp and not on:
            key = shown_key(("amqp", option), tree)
            yield ConfigFinding(key, "has no effect without TLS; set amqp.tls = true, or remove it")
    if "key_file" in amqp and "cert_file" not in amqp:
        yield ConfigFinding(
            shown_key(("amqp", "key_file"), tree), "needs amqp.cert_file too; set it"
        )
    url = amqp.get("url", "")
    if on and isinstance(url, str) and not re.search(r":\d+(/|$)", url):
        key = shown_key(("amqp", "url"), tree)
        yield ConfigFinding(key, "with TLS the port must be written, usually 5671")
