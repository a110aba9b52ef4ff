"""The values of a query or a form: bounded, and read by name."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qsl, urlencode

from notify.errors import NotifyError

MOST_FIELDS = 2000
"""Fields of a form: a page of 1,000 rows to select has about as many."""


class FormMistake(NotifyError):
    """A field has a value that cannot be used; the text says which, and what to enter."""


class Params:
    """The fields of a query string or of a form, in their order."""

    def __init__(self, pairs: Sequence[tuple[str, str]] = ()) -> None:
        self.pairs = tuple(pairs)

    @classmethod
    def parse(cls, text: str | bytes) -> Params:
        """
        Return the fields of a query string, or of a form's body.

        Raises:
            FormMistake: It is not UTF-8, or has too many fields.
        """
        try:
            plain = text.decode("ascii") if isinstance(text, bytes) else text
            pairs = parse_qsl(
                plain, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict"
            )
        except (UnicodeError, ValueError):
            raise FormMistake("the form cannot be read: too many fields, or not UTF-8") from None
        if any("\0" in name + value for name, value in pairs):
            raise FormMistake("a field contains a NUL character; remove it")
        return cls(pairs)

    def get(self, name: str, default: str = "") -> str:
        """Return the last value of a name without the spaces around it, else *default*."""
        found = [value for each, value in self.pairs if each == name]
        return found[-1].strip() if found else default

    def all(self, name: str) -> list[str]:
        """Return all values of a name."""
        return [value for each, value in self.pairs if each == name]

    def number(self, name: str, *, default: int, least: int = 1, most: int) -> int:
        """
        Return a whole number.

        Raises:
            FormMistake: It is not a number between *least* and *most*.
        """
        text = self.get(name)
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 10) or not (
            least <= int(text) <= most
        ):
            raise FormMistake(f"{name} is not a whole number from {least} to {most}")
        return int(text)

    def query(self, **changes: str | None) -> str:
        """Return the query string with some fields changed; None or "" removes one."""
        kept = [(name, value) for name, value in self.pairs if name not in changes]
        added = [(name, value) for name, value in changes.items() if value]
        pairs = [(name, value) for name, value in kept if value] + added
        return "?" + urlencode(pairs) if pairs else "?"
