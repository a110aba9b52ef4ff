"""One person, many spellings: the one reading of a recipient, and the ways it stands in a text."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property

import email_validator
from pydantic_core import PydanticCustomError

from notify.channels import email_address

# What people put between the digits of a number, invisible marks of copied contacts included.
_BETWEEN = r"[\s().\-/\u00ad\u200b\u200e\u200f\u2010-\u2015\u202a-\u202e\u2060]"
_SEPARATORS = re.compile(rf"\(0\)|{_BETWEEN}")
_INTERNATIONAL = re.compile(r"(?:\+|00)([1-9][0-9]{6,14})")
# A word that holds an @ of any width; possessive, so that a long word is tried once.
_WORD = re.compile(r"[^\s\"'<>(),;:\\\x00-\x1f]++")
# What may stand before an address: no character of a local part; or an escape of JSON or of a URL,
# whose letters are no part of the address. Behind it, the domain may not go on.
_BEGINS = r"(?:(?<![\w.+%-])|(?<=\\[nrtbf])|(?<=\\u[0-9a-f]{4})|(?<=%[0-9a-f]{2}))"
_ENDS = r"(?!(?:\.|-*)[^\W_])"
_LONGEST = 320
"""Characters of the longest text that is read as an address."""


def reading(recipient: str) -> str:
    """
    Return a recipient as the contract keeps it, however a person writes it.

    Domains are in lower-case ASCII, as `email_address` returns them; phone numbers in E.164 without
    spaces, brackets or a leading 00. What is neither is returned in its composed Unicode form.
    """
    text = unicodedata.normalize("NFKC", recipient).strip()
    if "@" in text:
        return _address(text)
    number = _INTERNATIONAL.fullmatch(_SEPARATORS.sub("", text))
    return f"+{_digits(number[1])}" if number else text


def as_one(recipient: str) -> str:
    """Return a recipient as counts, limits and hashes take it: Ann@ and ann@ are one person."""
    return recipient.casefold() if "@" in recipient else recipient


def same(one: str, other: str) -> bool:
    """Whether two spellings mean one recipient."""
    return as_one(reading(one)) == as_one(reading(other))


def _digits(text: str) -> str:
    return "".join(str(unicodedata.decimal(each)) for each in text)


def _address(text: str) -> str:
    if len(text) > _LONGEST:
        return text
    try:
        return email_address(text)
    except PydanticCustomError:
        pass
    checked = _parsed(text)
    if checked is not None:
        return f"{checked.local_part}@{checked.ascii_domain}"
    local, _, domain = text.rpartition("@")
    return f"{local}@{domain.lower()}"


def _parsed(text: str) -> email_validator.ValidatedEmail | None:
    """Read an address that the contract may refuse; None where it is none at all."""
    try:
        return email_validator.validate_email(
            text, check_deliverability=False, test_environment=True
        )
    except email_validator.EmailNotValidError:
        return None


@dataclass(frozen=True)
class Spellings:
    """
    The ways in which one recipient may stand in a text.

    Attributes:
        recipient: The recipient, in any spelling.
    """

    recipient: str

    @property
    def recognisable(self) -> bool:
        """Whether it is an address or a phone number, of which there are several spellings."""
        kept = reading(self.recipient)
        return "@" in kept.strip("@") or _INTERNATIONAL.fullmatch(kept) is not None

    def within(self, text: str | None) -> bool:
        """Whether it stands in a text."""
        return text is not None and self.without(text, "") != text

    def inside(self, text: str) -> bool:
        """Whether it stands in a text, within a longer word too: in what is the recipient's own."""
        choice = self._choice
        return self.within(text) or bool(choice and re.search(choice, text, re.IGNORECASE))

    def without(self, text: str, instead: str) -> str:
        """Return a text with something else in its place."""
        clean = self._pattern.sub(instead, text)
        if "@" not in self._kept or clean.isascii():
            return clean
        # Another alphabet, such as that of full width, or another dot: read word by word.
        return _WORD.sub(lambda word: instead if self._means(word[0]) else word[0], clean)

    def _means(self, word: str) -> bool:
        if word.isascii() or len(word) > _LONGEST or not set(word) & set("@\uff20\ufe6b"):
            return False
        return as_one(reading(word)) == as_one(self._kept)

    @cached_property
    def _kept(self) -> str:
        return reading(self.recipient)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        number = _INTERNATIONAL.fullmatch(self._kept)
        if number:
            between = rf"(?:{_BETWEEN}|\(0\)){{0,4}}"
            digits = between.join(number[1])
            return re.compile(rf"(?:\+|(?<![0-9])00){between}{digits}(?![0-9])")
        choice = self._choice
        if "@" in self._kept:
            choice = f"{_BEGINS}(?:{choice}){_ENDS}"
        return re.compile(choice, re.IGNORECASE)

    @cached_property
    def _choice(self) -> str:
        written = {self._kept, self.recipient}
        if "@" in self._kept and (checked := _parsed(self._kept)) is not None:
            written.add(f"{checked.local_part}@{checked.domain}")
        forms = {unicodedata.normalize("NFC", each) for each in written}
        forms |= {unicodedata.normalize("NFD", each) for each in written}
        # The longest first: none may leave a rest of another behind.
        return "|".join(re.escape(each) for each in sorted(forms, key=len, reverse=True) if each)
