"""Reading the fields of the pages' forms and queries: one of a list, a duration, an id."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import TypeVar
from uuid import UUID

from notify.web.console.params import FormMistake, Params
from notify.web.console.routing import Missing

SPANS = {
    "": "until it is changed",
    "900": "15 minutes",
    "1800": "30 minutes",
    "3600": "1 hour",
    "7200": "2 hours",
    "21600": "6 hours",
    "86400": "1 day",
    "604800": "7 days",
}
"""The durations of overrides, by seconds."""

_Word = TypeVar("_Word", bound=StrEnum)


def seconds(form: Params, name: str = "seconds") -> float | None:
    """
    Return a duration of `SPANS`; None for none.

    Raises:
        FormMistake: It is another one.
    """
    value = form.get(name)
    if value not in SPANS:
        raise FormMistake("the duration is not one of the list")
    return float(value) if value else None


def one_of(form: Params, name: str, known: Collection[str]) -> str | None:
    """
    Return a value of a list; None if it is empty.

    Raises:
        FormMistake: It is another one.
    """
    value = form.get(name)
    if value and value not in known:
        raise FormMistake(f"{name}: {value[:60]!r} is not known; known: {', '.join(known)}")
    return value or None


def word(form: Params, name: str, kind: type[_Word]) -> _Word | None:
    """
    Return a member of an enum; None if the field is empty.

    Raises:
        FormMistake: It is another value.
    """
    value = one_of(form, name, [each.value for each in kind])
    return kind(value) if value is not None else None


def positive(form: Params, name: str) -> float:
    """
    Return a number above 0.

    Raises:
        FormMistake: It is not one.
    """
    try:
        value = float(form.get(name))
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise FormMistake(f"{name} is not a number above 0")
    return value


def uuid_part(text: str) -> UUID:
    """
    Return the id of a path.

    Raises:
        Missing: It is not one.
    """
    try:
        return UUID(text)
    except ValueError:
        raise Missing("the address contains no id") from None


def number_part(text: str) -> int:
    """
    Return the number of a path.

    Raises:
        Missing: It is not one.
    """
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise Missing("the address contains no number")
    return int(text)


def chosen_numbers(form: Params, *, most: int) -> list[int]:
    """
    Return the numbers that a page's checkboxes have selected.

    Raises:
        FormMistake: They are too many, or not numbers.
    """
    texts = list(dict.fromkeys(form.all("id")))
    if len(texts) > most:
        raise FormMistake(f"select at most {most:,}; more only as a plan")
    if not all(each.isascii() and each.isdecimal() and len(each) < 19 for each in texts):
        raise FormMistake("the selection contains something that is not a number")
    return [int(each) for each in texts]


def chosen_ids(form: Params, *, most: int) -> list[UUID]:
    """
    Return the ids that a page's checkboxes have selected.

    Raises:
        FormMistake: They are too many, or not ids.
    """
    texts = list(dict.fromkeys(form.all("id")))
    if len(texts) > most:
        raise FormMistake(f"select at most {most:,}; more only as a plan")
    try:
        return [UUID(each) for each in texts]
    except ValueError:
        raise FormMistake("the selection contains something that is not an id") from None
