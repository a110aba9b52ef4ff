"""What a recipient may look like on each channel, and the one form in which it is kept."""

from __future__ import annotations

import re

import email_validator
import phonenumbers

from notify.contract.problem import refuse

# Plain addresses, which are nearly all: a subset of what the library takes, at a twentieth of its
# cost. Everything else (other alphabets, Punycode, reserved domains) is left to the library.
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_PLAIN = re.compile(
    r"(?=.{3,254}\Z)[A-Za-z0-9_%+-]{1,64}(?:\.[A-Za-z0-9_%+-]{1,64})*"
    rf"@(?:{_LABEL}\.)+[A-Za-z]{{2,63}}"
)
_LOCAL_PART_LIMIT = 64
_RESERVED = frozenset({"arpa", "invalid", "local", "localhost", "onion"})

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_TOKEN = re.compile(r"[!-~]{1,4096}")


def email_address(text: str) -> str:
    """
    Return an address with its domain in lower-case ASCII, as a mail provider takes it.

    The domain is not looked up: only a provider learns whether mail arrives. Names reserved for
    tests and documents (`sandbox.test`, `example.com`) are taken, since teams develop with them.
    """
    local, _, domain = text.rpartition("@")
    if _PLAIN.fullmatch(text) and len(local) <= _LOCAL_PART_LIMIT and "--" not in domain:
        domain = domain.lower()
        if domain.rpartition(".")[2] not in _RESERVED:
            return f"{local}@{domain}"
    try:
        checked = email_validator.validate_email(
            text,
            strict=True,
            allow_smtputf8=False,
            check_deliverability=False,
            test_environment=True,
        )
    except email_validator.EmailNotValidError:
        hint = "write the bare address, such as name@example.com"
        raise refuse("not an email address", hint) from None
    # ascii_email is None only for local parts in other alphabets, refused above.
    return checked.ascii_email or checked.normalized


def phone_number(text: str) -> str:
    """
    Return a phone number that is in E.164 form and possible in its country.

    Possible means a known country code and a length in use there. Whether the number is assigned
    is the provider's knowledge: number plans change faster than any table of ours.
    """
    hint = "write it as +, country code and number, digits only: +4915112345678"
    if not _E164.fullmatch(text):
        raise refuse("not a phone number in E.164 form", hint)
    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        raise refuse("no such country code", hint) from None
    reason = phonenumbers.is_possible_number_with_reason(number)
    if reason != phonenumbers.ValidationResult.IS_POSSIBLE:
        raise refuse("not a possible phone number", hint)
    if phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) != text:
        hint = "leave out the 0 that is dialled before the number inside the country"
        raise refuse("not a phone number in E.164 form", hint)
    return text


def device_token(text: str) -> str:
    """Return a push token: 1 to 4,096 printable ASCII characters without spaces."""
    if not _TOKEN.fullmatch(text):
        hint = "send the token as the app received it"
        raise refuse("not a device token", hint)
    return text
