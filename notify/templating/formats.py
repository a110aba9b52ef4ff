"""Filters in addition to Jinja's: money, dates, links. Their errors never repeat a value."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from functools import wraps
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import pass_context
from jinja2.runtime import Context, Undefined

from notify.templating.languages import dates
from notify.templating.links import link, unlinked
from notify.templating.money import money_format
from notify.templating.refused import ValueRefused

MAX_AMOUNT = 10**18
"""The largest amount, in minor units."""

_CURRENCY = re.compile("[A-Z]{3}")
# CLDR's typographic characters; in an SMS, one of them can double the price.
_PLAIN = str.maketrans("\u00a0\u2009\u202f\u2019\u2212", "   '-")
_UNCHANGED = object()


@pass_context
def money(context: Context, amount: Any, currency: Any) -> str:
    """Return an amount of minor units as text: 123450 and "EUR" are €1,234.50 or 1.234,50 €."""
    if type(amount) is not int or abs(amount) > MAX_AMOUNT:
        raise ValueRefused("money needs a whole number of minor units, such as cents")
    if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
        raise ValueRefused("money needs a currency of three capital letters, such as EUR")
    return _suited(context, money_format(context["locale"], currency).write(amount))


@pass_context
def day(context: Context, value: Any) -> str:
    """Return an ISO 8601 date as text: 1 March 2026, 1. März 2026, 2026年3月1日."""
    try:
        read = date.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueRefused("date needs an ISO 8601 date, such as 2026-03-01") from None
    return _suited(context, dates(context["locale"]).day(read))


@pass_context
def moment(context: Context, value: Any, zone: Any = _UNCHANGED) -> str:
    """Return an ISO 8601 time with its offset as text: 1 March 2026, 14:05 UTC.

    It is converted to the time zone, if one is given: 1 March 2026, 15:05 CET.
    """
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        time = None
    if time is None or time.utcoffset() is None:
        raise ValueRefused(
            "datetime needs an ISO 8601 time with a zone, such as 2026-03-01T14:05:00Z"
        )
    if zone is not _UNCHANGED:
        time = time.astimezone(_zone(zone))
    return _suited(context, dates(context["locale"]).moment(time))


def _zone(name: Any) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (AttributeError, LookupError, OSError, TypeError, ValueError):
        raise ValueRefused(
            "datetime needs the name of a time zone, such as Europe/Berlin"
        ) from None


def _suited(context: Context, text: str) -> str:
    """Return the text with typographic characters for HTML (autoescaped), else with plain ones."""
    if text.isascii() or context.eval_ctx.autoescape:
        return text
    return text.translate(_PLAIN)


def _checks_missing(formatted: Callable[..., str]) -> Callable[..., str]:
    """Return a filter that reports missing data as missing, before it checks the form."""

    @wraps(formatted)
    def checked(*values: Any) -> str:
        for value in values:
            if isinstance(value, Undefined):
                str(value)  # StrictUndefined raises here, naming what is missing
        return formatted(*values)

    return checked


FORMATS: dict[str, Callable[..., str]] = {
    "date": _checks_missing(day),
    "datetime": _checks_missing(moment),
    "link": _checks_missing(link),
    "money": _checks_missing(money),
    "unlinked": _checks_missing(unlinked),
}
"""The filters by the names that templates use."""
