"""The error of a value that a template cannot use."""

from __future__ import annotations


class ValueRefused(ValueError):
    """A template cannot use a value; the text names the required kind, never the value."""
