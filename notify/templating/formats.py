"""The filters that we add to Jinja's: money, dates, links. Their errors never repeat a value."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from functools import wraps
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context, Undefined

from .links import link, unlinked
from .refused import Refused

_SYMBOLS = {"EUR": "€", "GBP": "£", "USD": "$"}
# ISO 4217: the currencies in use whose minor unit is not a hundredth.
_WITHOUT_MINOR = re.compile("BIF|CLP|DJF|GNF|ISK|JPY|KMF|KRW|PYG|RWF|UGX|VND|VUV|XAF|XOF|XPF")
_THOUSANDTHS = re.compile("BHD|IQD|JOD|KWD|LYD|OMR|TND")
_MONTHS = {
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "en": "January February March April May June July August September October November December",
}


@pass_context
def money(context: Context, amount: Any, currency: Any) -> str:
    """Write an amount given in minor units: 123450 and "EUR" are €1,234.50 or 1.234,50 €.

    A language other than English and German gets 1234.50 EUR, which reads the same everywhere.
    """
    if type(amount) is not int:
        raise Refused("money needs a whole number of minor units, such as cents")
    if not isinstance(currency, str) or not re.fullmatch("[A-Z]{3}", currency):
        raise Refused("money needs a currency of three capital letters, such as EUR")
    digits = 0 if _WITHOUT_MINOR.match(currency) else 3 if _THOUSANDTHS.match(currency) else 2
    whole, rest = divmod(abs(amount), 10**digits)
    sign = "-" if amount < 0 else ""
    cents = f".{rest:0{digits}}" if digits else ""
    symbol = _SYMBOLS.get(currency, currency)
    match _language(context):
        case "en":
            gap = " " if symbol == currency else ""
            return f"{sign}{symbol}{gap}{whole:,}{cents}"
        case "de":
            grouped = f"{whole:,}".replace(",", ".")
            return f"{sign}{grouped}{cents.replace('.', ',')} {symbol}"
        case _:
            return f"{sign}{whole}{cents} {currency}"


@pass_context
def day(context: Context, value: Any) -> str:
    """Write an ISO 8601 date: 1 March 2026, 1. März 2026, or as it is in other languages."""
    try:
        return _written(date.fromisoformat(value), _language(context))
    except (TypeError, ValueError):
        raise Refused("date needs an ISO 8601 date, such as 2026-03-01") from None


@pass_context
def moment(context: Context, value: Any) -> str:
    """Write an ISO 8601 time with its offset: 1 March 2026, 14:05 UTC. It is not converted."""
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        time = None
    offset = time.utcoffset() if time else None
    if time is None or offset is None:
        raise Refused("datetime needs an ISO 8601 time with a zone, such as 2026-03-01T14:05:00Z")
    zone = f"UTC{time:%z}" if offset else "UTC"
    language = _language(context)
    clock = f"{time:%H:%M} Uhr ({zone})" if language == "de" else f"{time:%H:%M} {zone}"
    return f"{_written(time.date(), language)}, {clock}"


def _given(formatted: Callable[..., str]) -> Callable[..., str]:
    """Let missing data be named as such, before a filter complains of its form."""

    @wraps(formatted)
    def checked(*values: Any) -> str:
        for value in values:
            if isinstance(value, Undefined):
                str(value)  # StrictUndefined raises here, naming what is missing
        return formatted(*values)

    return checked


FORMATS: dict[str, Callable[..., str]] = {
    "date": _given(day),
    "datetime": _given(moment),
    "link": _given(link),
    "money": _given(money),
    "unlinked": _given(unlinked),
}
"""The filters by the names that templates use."""


def _language(context: Context) -> str:
    return str(context["locale"]).split("-", 1)[0]


def _written(value: date, language: str) -> str:
    if language not in _MONTHS:
        return value.isoformat()
    month = _MONTHS[language].split()[value.month - 1]
    return f"{value.day}{'.' if language == 'de' else ''} {month} {value.year}"
