"""
The search text of an operator: exact qualifiers such as `status:failed source:shop`.

Values match exactly, and the text is bounded, so that a search never costs a long scan.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from notify.errors import NotifyError
from notify.message import Channel, Status
from notify.store.status import RowSearch

LONGEST = 400
"""Characters of a search text."""
MOST_TERMS = 12
"""Qualifiers of a search text."""
TO = "to"
QUALIFIERS: Mapping[str, str] = {
    "status": "status",
    "source": "source",
    "lane": "lane",
    "channel": "channel",
    "template": "template",
    "category": "category",
    "provider": "provider",
    "code": "code",
    "batch": "batch_id",
    TO: TO,
}
"""By qualifier, the field of `RowSearch`; `to` becomes hashes."""

_TERM = re.compile(r'(?:([a-z]+):)?("[^"]*"|[^\s"]+)(?=\s|$)')
_SPACE = re.compile(r"\s")
_ID = re.compile(r"[0-9a-f-]{4,36}", re.IGNORECASE)
_LONGEST_VALUE = 255


class SearchMistake(NotifyError):
    """A search text cannot be read; the text says what to write instead."""


@dataclass(frozen=True, slots=True)
class SearchText:
    """A search text, read."""

    terms: Mapping[str, str]
    """By qualifier, its value as it was written; without `to`."""
    wanted: RowSearch
    to: str | None = None
    """The value of `to:`: a recipient, or the token that stands for one."""
    id_digits: str | None = None
    """The first digits of an id, if the text is one; then there are no terms."""

    def __str__(self) -> str:
        """Return the text in its shortest form."""
        if self.id_digits is not None:
            return self.id_digits
        terms = {**self.terms, **({TO: self.to} if self.to is not None else {})}
        return " ".join(f"{name}:{_quoted(value)}" for name, value in terms.items())

    def wanted_of(self, hashes: Sequence[bytes]) -> RowSearch:
        """Return the search for the rows of a recipient with these hashes."""
        return replace(self.wanted, recipient_hashes=hashes)

    def with_to(self, to: str) -> SearchText:
        """Return the search for another value of `to:`."""
        return replace(self, to=to)


def parse_search(text: str) -> SearchText:
    """
    Read a search text: qualifiers with exact values, or the first 4 digits or more of an id.

    Raises:
        SearchMistake: It is too long, or a term cannot be read.
    """
    text = text.strip()
    if len(text) > LONGEST:
        raise SearchMistake(f"the search has more than {LONGEST} characters: shorten it")
    if _ID.fullmatch(text) and 4 <= len(text.replace("-", "")) <= 32:
        return SearchText({}, RowSearch(), id_digits=text.lower())
    terms = _terms(text)
    to = terms.pop(TO, None)
    values: dict[str, Any] = {
        QUALIFIERS[name]: _value(name, value) for name, value in terms.items()
    }
    return SearchText(terms, RowSearch(**values), to=to)


def _terms(text: str) -> dict[str, str]:
    terms: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _TERM.match(text, at)
        if match is None:
            raise SearchMistake('a quotation mark is not closed: write code:"two words"')
        name, value = match[1], match[2].strip('"')
        if name not in QUALIFIERS:
            raise SearchMistake(_unknown(name))
        if name in terms:
            raise SearchMistake(f"{name}: is there twice: one value of each is searched for")
        if not value or len(value) > _LONGEST_VALUE:
            raise SearchMistake(f"{name}: needs a value of 1 to {_LONGEST_VALUE} characters")
        terms[name] = value
        if len(terms) > MOST_TERMS:
            raise SearchMistake(f"the search has more than {MOST_TERMS} qualifiers")
        at = match.end()
        at += len(text[at:]) - len(text[at:].lstrip())
    return terms


def _unknown(name: str | None) -> str:
    known = " ".join(f"{each}:" for each in QUALIFIERS)
    if name is None:
        return f"only exact qualifiers and ids are searched for; the qualifiers are {known}"
    close = difflib.get_close_matches(name, QUALIFIERS, n=1)
    near = f"did you mean {close[0]}:? " if close else ""
    return f"there is no qualifier {name}: {near}The qualifiers are {known}"


def _value(name: str, value: str) -> Any:
    match name:
        case "status":
            return Status(_one_of(name, value, list(Status)))
        case "channel":
            return Channel(_one_of(name, value, list(Channel)))
        case "batch":
            try:
                return UUID(value)
            except ValueError:
                raise SearchMistake("batch: needs the whole id of a batch") from None
        case _:
            return value


def _one_of(name: str, value: str, known: list[str]) -> str:
    if value not in known:
        close = difflib.get_close_matches(value, known, n=1)
        near = f"did you mean {name}:{close[0]}? It" if close else "it"
        raise SearchMistake(f"there is no {name} {value!r}: {near} is one of {', '.join(known)}")
    return value


def _quoted(value: str) -> str:
    return f'"{value}"' if _SPACE.search(value) else value
