"""Amounts of money in each language, by the Unicode CLDR."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from babel.numbers import get_currency_symbol, get_decimal_symbol, get_group_symbol

from notify.templating.languages import known

# ISO 4217: the currencies in use whose minor unit is not a hundredth. CLDR's digits are those that
# shops write, which omit some minor units.
_DIGITS = {
    0: re.compile("BIF|CLP|DJF|GNF|ISK|JPY|KMF|KRW|PYG|RWF|UGX|UYI|VND|VUV|XAF|XOF|XPF"),
    3: re.compile("BHD|IQD|JOD|KWD|LYD|OMR|TND"),
    4: re.compile("CLF|UYW"),
}
_NO_BREAK = "\u00a0"


@dataclass(frozen=True, slots=True)
class Money:
    """The form of amounts of one currency in one language."""

    digits: int
    """The digits of the minor unit: 2 for cents."""
    positive: tuple[str, str]
    """The texts before and after the number."""
    negative: tuple[str, str]
    decimal: str
    group: str
    sizes: tuple[int, int]
    """Digits of the last group of thousands, and of those before it."""

    def write(self, amount: int) -> str:
        """Return an amount of minor units as text, to the last digit."""
        before, after = self.negative if amount < 0 else self.positive
        units = str(abs(amount)).zfill(self.digits + 1)
        whole, rest = units[: len(units) - self.digits], units[len(units) - self.digits :]
        cents = f"{self.decimal}{rest}" if rest else ""
        return f"{before}{self._grouped(whole)}{cents}{after}"

    def _grouped(self, whole: str) -> str:
        last, others = self.sizes
        groups = [whole[-last:]]
        whole = whole[:-last]
        while whole:
            groups.append(whole[-others:])
            whole = whole[:-others]
        return self.group.join(reversed(groups))


@lru_cache(maxsize=1024)
def money_format(locale: str, currency: str) -> Money:
    """Return the form of `currency`, such as `EUR`, in `locale`, such as `pt-br`.

    If CLDR does not know the language, the form is `1234.56 EUR`.
    """
    digits = next((number for number, which in _DIGITS.items() if which.match(currency)), 2)
    language = known(locale)
    if language is None:
        after = f" {currency}"
        return Money(digits, ("", after), ("-", after), decimal=".", group="", sizes=(3, 3))
    pattern = language.currency_formats["standard"]
    symbol = get_currency_symbol(currency, language)
    return Money(
        digits,
        positive=_around(pattern.prefix[0], pattern.suffix[0], symbol),
        negative=_around(pattern.prefix[1], pattern.suffix[1], symbol),
        decimal=get_decimal_symbol(language),
        group=get_group_symbol(language),
        sizes=pattern.grouping,
    )


def _around(before: str, after: str, symbol: str) -> tuple[str, str]:
    """Insert the symbol; one of letters has a space to the digits (CLDR, currencySpacing)."""
    if before.endswith("¤") and symbol[-1].isalpha():
        before += _NO_BREAK
    if after.startswith("¤") and symbol[0].isalpha():
        after = _NO_BREAK + after
    return before.replace("¤", symbol), after.replace("¤", symbol)
