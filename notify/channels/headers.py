"""The headers that a request may add to an email."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema

from notify.channels.definition import ContentProblem
from notify.channels.words import refuse

MOST_HEADERS = 20
"""Headers that one request may add."""
ALLOWED = (
    "Auto-Submitted",
    "Feedback-ID",
    "Importance",
    "In-Reply-To",
    "References",
)
"""The headers that may be added beside those that begin with `X-`."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_ALLOWED = frozenset(name.lower() for name in ALLOWED)
# Orders to vendors: they could change recipients, sender, tracking or template of a message that
# is relayed through one. Mailbox providers and filters write the last two lines.
_ORDERS = re.compile(
    r"x-(?:smtpapi|sg-|ses-|msys-|mc-|mailgun-|mj-|pm-|sib-|mailin-|mandrill|cm-|elasticemail"
    r"|sparkpost|twilio-|notify-|return-path|envelope-|rcpt-|sender\b|from\b|to\b"
    r"|original-|apparently-|authentication-|antiabuse|antivirus|spam|virus|ms-exchange-"
    r"|forefront-|microsoft-antispam|google-|gm-|received|mailer-daemon)"
)


def _name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise refuse("not a header's name", "letters, digits and -, at most 64: X-Order-Id")
    lower = name.lower()
    if lower == "x-":
        raise refuse("not a header's name", "write more than X-, such as X-Order-Id")
    if lower in _ALLOWED:
        return name
    if not lower.startswith("x-"):
        allowed = ", ".join(ALLOWED)
        raise refuse("this header is not the request's to set", f"X-..., or one of {allowed}")
    if _ORDERS.match(lower):
        raise refuse("this header has a meaning for mail services", "choose another name")
    return name


def _value(value: str) -> str:
    if not _VALUE.fullmatch(value):
        hint = "one line of printable ASCII, without a space at its beginning or end"
        raise refuse("not a header's value", hint)
    return value


def _any_case(name: str) -> str:
    """Return a pattern for a name in letters of any case, which JSON Schema cannot say shorter."""
    letters = (f"[{each.upper()}{each.lower()}]" if each.isalpha() else each for each in name)
    return "".join(letters)


_NAMES = "|".join(["[Xx]-[A-Za-z0-9-]{1,62}", *map(_any_case, ALLOWED)])

HeaderName = Annotated[
    str, AfterValidator(_name), WithJsonSchema({"type": "string", "pattern": f"^(?:{_NAMES})$"})
]
HeaderValue = Annotated[
    str,
    Field(min_length=1, max_length=900, json_schema_extra={"pattern": f"^{_VALUE.pattern}$"}),
    AfterValidator(_value),
]
Headers = Annotated[
    dict[HeaderName, HeaderValue],
    Field(max_length=MOST_HEADERS, json_schema_extra={"additionalProperties": False}),
]


def header_problems(headers: dict[str, str]) -> Iterator[ContentProblem]:
    """Yield the headers that occur twice, in other letters."""
    seen: set[str] = set()
    for name in headers:
        if name.lower() in seen:
            why = "the same header in other letters is also there"
            yield ContentProblem(("headers", name), why, "keep one")
        seen.add(name.lower())
