"""Phone numbers: their form, and their country."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from notify.channels.words import refuse

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


def is_e164(text: str) -> bool:
    """Whether a text is + and 7 to 15 digits."""
    return _E164.fullmatch(text) is not None


def phone_number(text: str) -> str:
    """
    Return a phone number that is in E.164 form and possible in its country.

    Possible means a known country code and a length in use there. Only the provider knows whether
    the number is assigned: number plans change faster than any table here.
    """
    hint = "write it as +, country code and number, digits only: +4915112345678"
    if not is_e164(text):
        raise refuse("not a phone number in E.164 form", hint)
    # Its number plans cost each process that has no phone numbers 1 MB and a fiftieth of its start.
    import phonenumbers

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


PhoneNumber = Annotated[
    str,
    Field(
        max_length=16,
        json_schema_extra={"pattern": r"^\+[1-9][0-9]{6,14}$"},
        examples=["+4915112345678"],
    ),
    AfterValidator(phone_number),
]


def country_of(number: str) -> str | None:
    """
    Return the country of an E.164 number as an ISO 3166 code; None if no number plan has it.

    Among countries that share a code (+1, +7, +44), the number's own digits decide.
    """
    import phonenumbers  # as above

    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return None
    region: str | None = phonenumbers.region_code_for_number(parsed)
    return region if region != phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY else None
