"""Checks of the options that providers have in common, before a provider is built."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from providers._shared.transport import BASE_URL, is_base_url


def wrong_addresses(options: Mapping[str, Any], *names: str) -> Iterator[tuple[str, str]]:
    """Yield the named options that are set and are not an address of an API."""
    yield from wrong_texts(options, dict.fromkeys(names, (is_base_url, BASE_URL)))


def wrong_texts(
    options: Mapping[str, Any], forms: Mapping[str, tuple[Callable[[str], object], str]]
) -> Iterator[tuple[str, str]]:
    """
    Yield the options that are set and do not have the required form.

    Args:
        options: The options by name; None is a secret, and not checked.
        forms: By option, a check of its text, and the text of the mistake.
    """
    for name, (fits, text) in forms.items():
        value = options.get(name)
        if value is not None and not (isinstance(value, str) and fits(value)):
            yield name, text
