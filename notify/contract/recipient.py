"""A recipient's normal form, and the spellings in which a text may contain it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property

import email_validator
from pydantic_core import PydanticCustomError

from notify.channels import email_address

# Separators between the digits of a number, including invisible marks of copied contacts.
_BETWEEN = r"[\s().\-/\u00ad\u200b\u200e\u200f\u2010-\u2015\u202a-\u202e\u2060]"
_SEPARATORS = re.compile(rf"\(0\)|{_BETWEEN}")
_INTERNATIONAL = re.compile(r"(?:\+|00)([1-9][0-9]{6,14})")
# A word that may contain an @ of any width; possessive, so that a long word is tried once.
_WORD = re.compile(r"[^\s\"'<>(),;:\\\x00-\x1f]++")
# Before an address: no character of a local part, or an escape of JSON or of a URL, whose letters
# are not part of the address. After it: nothing that continues the domain.
_BEGINS = r"(?:(?<![\w.+%-])|(?<=\\[nrtbf])|(?<=\\u[0-9a-f]{4})|(?<=%[0-9a-f]{2}))"
_ENDS = r"(?!(?:\.|-*)[^\W_])"
_LONGEST = 320
"""The longest text that is parsed as an address, in characters."""


def normal_form(recipient: str) -> str:
    """
    Return a recipient in the form that decoded requests have, from any spelling of it.

    Domains are in lower-case ASCII, as `email_address` returns them; phone numbers in E.164 without
    spaces, brackets or a leading 00. Any other text is returned in its composed Unicode form.
    """
    text = unicodedata.normalize("NFKC", recipient).strip()
    if "@" in text:
        return _address(text)
    number = _INTERNATIONAL.fullmatch(_SEPARATORS.sub("", text))
    return f"+{_digits(number[1])}" if number else text


def case_folded(recipient: str) -> str:
    """Return a recipient as counts, limits and hashes use it: Ann@ and ann@ are one person."""
    return recipient.casefold() if "@" in recipient else recipient


def same_recipient(one: str, other: str) -> bool:
    """Whether two spellings mean one recipient."""
    return case_folded(normal_form(one)) == case_folded(normal_form(other))


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
    """Parse an address that the contract may refuse; return None if it is not an address."""
    try:
        return email_validator.validate_email(
            text, check_deliverability=False, test_environment=True
        )
    except email_validator.EmailNotValidError:
        return None


@dataclass(frozen=True)
class Spellings:
    """
    The spellings of one recipient, to find or replace in texts.

    Attributes:
        recipient: The recipient, in any spelling.
    """

    recipient: str

    @property
    def recognisable(self) -> bool:
        """Whether it is an address or a phone number, which have several spellings."""
        normal = normal_form(self.recipient)
        return "@" in normal.strip("@") or _INTERNATIONAL.fullmatch(normal) is not None

    def is_in(self, text: str | None) -> bool:
        """Whether a text contains it as a word of its own."""
        return text is not None and self.replaced_in(text, "") != text

    def is_part_of(self, text: str) -> bool:
        """Whether a text contains it, also inside a longer word: for the recipient's own texts."""
        alternatives = self._alternatives
        return self.is_in(text) or bool(
            alternatives and re.search(alternatives, text, re.IGNORECASE)
        )

    def replaced_in(self, text: str, instead: str) -> str:
        """Return a text with each spelling replaced by *instead*."""
        clean = self._pattern.sub(instead, text)
        if "@" not in self._normal or clean.isascii():
            return clean
        # Another alphabet, such as full width, or another dot: compare word by word.
        return _WORD.sub(lambda word: instead if self._means(word[0]) else word[0], clean)

    def _means(self, word: str) -> bool:
        if word.isascii() or len(word) > _LONGEST or not set(word) & set("@\uff20\ufe6b"):
            return False
        return case_folded(normal_form(word)) == case_folded(self._normal)

    @cached_property
    def _normal(self) -> str:
        return normal_form(self.recipient)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        number = _INTERNATIONAL.fullmatch(self._normal)
        if number:
            between = rf"(?:{_BETWEEN}|\(0\)){{0,4}}"
            digits = between.join(number[1])
            return re.compile(rf"(?:\+|(?<![0-9])00){between}{digits}(?![0-9])")
        alternatives = self._alternatives
        if "@" in self._normal:
            alternatives = f"{_BEGINS}(?:{alternatives}){_ENDS}"
        return re.compile(alternatives, re.IGNORECASE)

    @cached_property
    def _alternatives(self) -> str:
        written = {self._normal, self.recipient}
        if "@" in self._normal and (checked := _parsed(self._normal)) is not None:
            written.add(f"{checked.local_part}@{checked.domain}")
        forms = {unicodedata.normalize("NFC", each) for each in written}
        forms |= {unicodedata.normalize("NFD", each) for each in written}
        # The longest first, so that no match leaves the rest of a longer one.
        return "|".join(re.escape(each) for each in sorted(forms, key=len, reverse=True) if each)
