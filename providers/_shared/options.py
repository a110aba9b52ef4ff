"""What the providers' options have in common, looked at before one is built."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from providers._shared.transport import BASE_URL, is_base_url


def wrong_addresses(options: Mapping[str, Any], *names: str) -> Iterator[tuple[str, str]]:
    """Yield those of the named options that are set and no address to send to."""
    yield from wrong_texts(options, dict.fromkeys(names, (is_base_url, BASE_URL)))


def wrong_texts(
    options: Mapping[str, Any], forms: Mapping[str, tuple[Callable[[str], object], str]]
) -> Iterator[tuple[str, str]]:
    """
    Yield those options that are set and not of the form they need.

    Args:
        options: The options by name; None is a secret, and not looked at.
        forms: By option, whether a text has its form, and what to say if not.
    """
    for name, (fits, text) in forms.items():
        value = options.get(name)
        if value is not None and not (isinstance(value, str) and fits(value)):
            yield name, text
