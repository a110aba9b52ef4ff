"""Checks of senders: their names, their sources, and whether one is the default of two."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from notify.settings.checks.finding import (
    ConfigFinding,
    names_in,
    shown_key,
    suggestion,
    table_in,
)
from notify.settings.sources import Tree

_PARTS = (("address",), ("sms", "sms_countries"))
"""The options of a sender that make it one of email, and one of SMS."""


def sender_problems(tree: Tree) -> Iterator[ConfigFinding]:
    """Yield the mistakes of senders that the values alone show."""
    senders = table_in(tree.values, "senders")
    yield from _defaults(senders, tree)
    yield from _unknown(senders, tree)


def _defaults(senders: Mapping[str, Any], tree: Tree) -> Iterator[ConfigFinding]:
    owners: dict[tuple[str, tuple[str, ...]], str] = {}
    for name, options in senders.items():
        key = shown_key(("senders", name, "default_for"), tree)
        sources = names_in(options, "sources")
        for source in names_in(options, "default_for"):
            if sources and source not in sources:
                yield ConfigFinding(key, f"{source} is not in `sources`; add it there")
            for parts in _PARTS:
                if not any(part in options for part in parts):
                    continue
                owner = owners.setdefault((source, parts), name)
                if owner != name:
                    text = f"{source} already has the default {owner}; keep one of them"
                    yield ConfigFinding(key, text)


def _unknown(senders: Mapping[str, Any], tree: Tree) -> Iterator[ConfigFinding]:
    for name, options in table_in(tree.values, "categories").items():
        sender = options.get("sender") if isinstance(options, dict) else None
        if isinstance(sender, str) and "@" not in sender and sender not in senders:
            key = shown_key(("categories", name, "sender"), tree)
            text = f"is not in [senders]; {suggestion(sender, list(senders))}"
            yield ConfigFinding(key, text)
