"""The error of a value that a template cannot use."""

from __future__ import annotations


class ValueRefused(ValueError):
    """A value that a template cannot use; the text tells which kind is needed, not the value."""
