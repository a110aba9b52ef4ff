"""Dates and times in each language, by the Unicode CLDR."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import lru_cache, partial

from babel import Locale, UnknownLocaleError
from babel.dates import get_timezone_name

from notify.templating.locales import fallbacks

# CLDR treats English without a region as that of the United States. Here it is for readers
# everywhere: the day first and 24 hours; `en-us` has the other form.
_DATES = {"en": "en-gb"}


@dataclass(frozen=True, slots=True)
class Dates:
    """The forms of dates and times in one language."""

    day: Callable[[date], str]
    """A date in words."""
    clock: Callable[[int, int], str]
    """The hour and minute."""
    zone: Callable[[datetime], str]
    """The short name of the zone at that moment."""
    joined: str
    """Date and time together, with `{1}` for the date and `{0}` for the time and its zone."""

    def moment(self, value: datetime) -> str:
        """Return date, time and zone in words."""
        clock, zone = self.clock(value.hour, value.minute), self.zone(value)
        return self.joined.format(f"{clock} {zone}", self.day(value.date()))


@lru_cache(maxsize=256)
def known(locale: str) -> Locale | None:
    """Return CLDR's data of a locale such as `pt-br`, or of its first known fallback, or None."""
    for name in fallbacks(locale):
        try:
            return Locale.parse(name)
        except (UnknownLocaleError, ValueError):
            continue
    return None


@lru_cache(maxsize=256)
def dates(locale: str) -> Dates:
    """Return the forms of `locale`, such as `pt-br`; ISO's forms if CLDR does not know it."""
    locale = _DATES.get(locale, locale)
    language = known(locale)
    if language is None:
        return Dates(_iso_day, _iso_clock, _offset, "{1}, {0}")
    return Dates(
        day=partial(_day, locale),
        clock=partial(_clock, locale),
        zone=partial(_zone, language),
        joined=str(language.datetime_formats["long"]).replace("'", ""),
    )


# Many messages have the same date, and a day has 1,440 minutes.
@lru_cache(maxsize=4096)
def _day(locale: str, value: date) -> str:
    language = known(locale)
    assert language is not None  # noqa: S101 - `dates` checks it
    return str(language.date_formats["long"].apply(value, language))


@lru_cache(maxsize=4096)
def _clock(locale: str, hour: int, minute: int) -> str:
    language = known(locale)
    assert language is not None  # noqa: S101 - `dates` checks it
    return str(language.time_formats["short"].apply(time(hour, minute), language))


def _zone(language: Locale, value: datetime) -> str:
    """Return the name of the zone in the language, if it has one, else the offset."""
    if value.tzname() == "UTC" or not hasattr(value.tzinfo, "key"):
        return _offset(value)
    name = get_timezone_name(value, width="short", locale=language)
    return name if name[:1].isalpha() else _offset(value)


def _offset(value: datetime) -> str:
    return f"UTC{value:%z}" if value.utcoffset() else "UTC"


def _iso_day(value: date) -> str:
    return f"{value:%Y-%m-%d}"


def _iso_clock(hour: int, minute: int) -> str:
    return f"{hour:02}:{minute:02}"
