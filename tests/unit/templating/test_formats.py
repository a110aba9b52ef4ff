"""The filters for money, dates, links and names."""

from __future__ import annotations

import re
import string
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from babel import localedata
from hypothesis import given
from hypothesis import strategies as st

from notify.errors import TemplateError
from notify.message import Channel
from notify.segments import segments
from notify.templating import Templates
from notify.templating.languages import dates
from notify.templating.links import unlinked
from notify.templating.money import money_format

SECRET = "maria.weber@customer.example"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An operator's folder with an empty template."""
    (tmp_path / "t").mkdir()
    return tmp_path


def written(
    folder: Path, expression: str, value: Any, locale: str = "en", *, channel: Channel = Channel.SMS
) -> str:
    """Return the result of an expression over `x` in the text of the locale's message."""
    where = folder / "t" / locale.lower().replace("-", "_")
    where.mkdir(exist_ok=True)
    (where / f"{channel}.text.j2").write_text(f"{{{{ {expression} }}}}", encoding="utf-8")
    (where / "email.subject.j2").write_text("s")
    (where / "email.text.j2").touch()
    return Templates(folder).render("t", channel=channel, locale=locale, data={"x": value}).text


@pytest.mark.parametrize(
    ("locale", "amount", "currency", "wanted"),
    [
        ("en", 123456, "EUR", "€1,234.56"),
        ("en", 123456789, "USD", "$1,234,567.89"),
        ("en", 5, "GBP", "£0.05"),
        ("en", -1990, "CHF", "-CHF 19.90"),
        ("en", 5000, "JPY", "¥5,000"),
        ("en", 1234567, "KWD", "KWD 1,234.567"),
        ("en", 0, "EUR", "€0.00"),
        ("de", 123456, "EUR", "1.234,56 €"),
        ("de", -5, "CHF", "-0,05 CHF"),
        ("de", 5000, "JPY", "5.000 ¥"),
        ("de-CH", 123456789, "CHF", "CHF 1'234'567.89"),
        ("de-CH", -123456789, "CHF", "CHF-1'234'567.89"),
        ("fr", 123456, "EUR", "1 234,56 €"),
        ("fr", -5, "EUR", "-0,05 €"),
        ("it", 100, "IQD", "0,100 IQD"),
        ("nl", -123456, "EUR", "€ -1.234,56"),
        ("pt-BR", 123456, "BRL", "R$ 1.234,56"),
        ("sv", 123456, "SEK", "1 234,56 kr"),
        ("pl", 123456, "PLN", "1 234,56 zł"),
        ("en-IN", 1234567890, "INR", "₹1,23,45,678.90"),
        ("ja", 5000, "JPY", "￥5,000"),
        ("zh-Hant", 123456, "TWD", "$1,234.56"),
        ("es", 12345678, "CLF", "1.234,5678 CLF"),
        ("en", 10**18, "USD", "$10,000,000,000,000,000.00"),
        ("tlh", 123456, "EUR", "1234.56 EUR"),
        ("tlh", -5, "JPY", "-5 JPY"),
    ],
)
def test_money_is_written_as_the_language_writes_it(
    folder: Path, locale: str, amount: int, currency: str, wanted: str
) -> None:
    """From minor units; a language CLDR lacks gets a form that reads the same everywhere."""
    assert written(folder, f"x|money('{currency}')", amount, locale) == wanted


@given(
    amount=st.integers(-(10**18), 10**18), locale=st.sampled_from(["de", "de_ch", "fr", "hi", "ar"])
)
def test_no_digit_of_an_amount_is_lost(amount: int, locale: str) -> None:
    """Whatever the grouping, and however large the amount."""
    text = money_format(locale, "EUR").write(amount)
    assert re.sub(r"\D", "", text) == str(abs(amount)).zfill(3)
    assert ("-" in text) is (amount < 0)


def test_every_locale_writes_money_and_dates() -> None:
    """None of those that CLDR has fails or leaves a digit out."""
    at = datetime(2026, 3, 1, 14, 5, tzinfo=UTC)
    for name in localedata.locale_identifiers():
        folder = name.lower()
        assert re.sub(r"\D", "", money_format(folder, "EUR").write(123456)) == "123456", name
        assert "26" in dates(folder).day(at.date()), name
        assert "26" in dates(folder).moment(at), name


@pytest.mark.parametrize("amount", [1.5, "100", True, None, 10**18 + 1])
def test_money_takes_whole_minor_units_only(folder: Path, amount: object) -> None:
    """A float would round, a text would concatenate."""
    with pytest.raises(TemplateError, match="money needs a whole number of minor units"):
        written(folder, "x|money('EUR')", amount)


@pytest.mark.parametrize("currency", ["", "eur", "EURO", 1, "€"])
def test_money_takes_an_iso_currency_only(folder: Path, currency: object) -> None:
    """Three capital letters."""
    with pytest.raises(TemplateError, match="money needs a currency of three capital letters"):
        written(folder, "1|money(x)", currency)


@pytest.mark.parametrize(
    ("locale", "wanted"),
    [
        ("en", "1 March 2026"),
        ("en-US", "March 1, 2026"),
        ("en-AU", "1 March 2026"),
        ("de", "1. März 2026"),
        ("fr", "1 mars 2026"),
        ("es-MX", "1 de marzo de 2026"),
        ("pt-BR", "1 de março de 2026"),
        ("nb", "1. mars 2026"),
        ("ja", "2026年3月1日"),
        ("zh-Hant", "2026年3月1日"),
        ("uk", "1 березня 2026 \u0440."),
        ("xx", "2026-03-01"),
    ],
)
def test_a_date_is_written_as_the_language_writes_it(
    folder: Path, locale: str, wanted: str
) -> None:
    """A language CLDR lacks gets the ISO form; English without a region is not American."""
    assert written(folder, "x|date", "2026-03-01", locale) == wanted


@pytest.mark.parametrize(
    ("locale", "value", "wanted"),
    [
        ("en", "2026-12-31T23:59:59Z", "31 December 2026, 23:59 UTC"),
        ("en", "2026-12-31T23:59:59+05:30", "31 December 2026, 23:59 UTC+0530"),
        ("en-US", "2026-12-31T23:59:59Z", "December 31, 2026, 11:59 PM UTC"),
        ("de", "2026-12-31T09:05:00+00:00", "31. Dezember 2026, 09:05 UTC"),
        ("fr", "2026-12-31T09:05:00Z", "31 décembre 2026, 09:05 UTC"),
        ("sv", "2026-12-31T09:05:00Z", "31 december 2026 09:05 UTC"),
        ("xx", "2026-12-31T09:05:00Z", "2026-12-31, 09:05 UTC"),
    ],
)
def test_a_time_is_written_with_its_zone(
    folder: Path, locale: str, value: str, wanted: str
) -> None:
    """It is not converted: the service does not know where the reader is."""
    assert written(folder, "x|datetime", value, locale) == wanted


@pytest.mark.parametrize(
    ("locale", "value", "zone", "wanted"),
    [
        ("en", "2026-12-31T23:59:59Z", "Europe/Berlin", "1 January 2027, 00:59 CET"),
        ("en", "2026-07-01T12:00:00Z", "Europe/Berlin", "1 July 2026, 14:00 CEST"),
        ("de", "2026-07-01T12:00:00Z", "Europe/Berlin", "1. Juli 2026, 14:00 MESZ"),
        ("fr", "2026-12-01T12:00:00Z", "Europe/Paris", "1 décembre 2026, 13:00 UTC+0100"),
        ("en-US", "2026-03-08T07:00:00Z", "America/New_York", "March 8, 2026, 3:00 AM EDT"),
        ("en", "2026-12-01T12:00:00+01:00", "Asia/Kolkata", "1 December 2026, 16:30 UTC+0530"),
        ("en", "2026-12-01T12:00:00+01:00", "UTC", "1 December 2026, 11:00 UTC"),
        ("fr", "2026-12-01T12:00:00Z", "Etc/UTC", "1 décembre 2026, 12:00 UTC"),
        ("xx", "2026-12-01T12:00:00Z", "Asia/Tokyo", "2026-12-01, 21:00 UTC+0900"),
    ],
)
def test_a_time_is_converted_to_a_zone_that_is_named(
    folder: Path, locale: str, value: str, zone: str, wanted: str
) -> None:
    """With the offset of that day, under the name by which the language's readers know the zone."""
    assert written(folder, f"x|datetime('{zone}')", value, locale) == wanted


@pytest.mark.parametrize(
    "zone",
    ["", "Berlin", "../etc/passwd", "/etc/passwd", "Europe", "a\0b", 5, None, ["UTC"], SECRET],
)
def test_a_zone_that_is_none_is_refused(folder: Path, zone: object) -> None:
    """It is refused by its kind, and never repeated."""
    with pytest.raises(TemplateError, match=r"line 1: datetime needs the name of a time zone"):
        written(folder, "'2026-03-01T14:05:00Z'|datetime(x)", zone)


def test_plain_text_is_spared_what_doubles_the_price_of_an_sms(folder: Path) -> None:
    """CLDR's spaces, minus and apostrophe are outside GSM-7: they are for the eye, in HTML."""
    written(folder, "x|money('EUR')", 123456, "fr", channel=Channel.EMAIL)
    (folder / "t" / "fr" / "email.html.j2").write_text("{{ x|money('EUR') }}")
    mail = Templates(folder).render("t", channel=Channel.EMAIL, locale="fr", data={"x": 123456})
    assert (mail.text, mail.html) == ("1 234,56 €", "1\u202f234,56\u00a0€")
    for locale in ("fr", "en-US", "de-CH", "sv", "es", "it", "nl"):
        text = written(
            folder, "x|money('EUR') ~ ('2026-12-01T09:05:00Z'|datetime)", -123456, locale
        )
        assert segments(text * 3) == 1, locale


@pytest.mark.parametrize("value", ["soon", "2026-02-30", 20260301, None, "2026-03-01T10:00:00Z "])
def test_a_date_that_is_none_is_refused(folder: Path, value: object) -> None:
    """The error shows the form that is needed."""
    with pytest.raises(TemplateError, match="date needs an ISO 8601 date, such as 2026-03-01"):
        written(folder, "x|date", value)


@pytest.mark.parametrize("value", ["soon", "2026-03-01", "2026-03-01T10:00:00", 5, None])
def test_a_time_without_a_zone_is_refused(folder: Path, value: object) -> None:
    """It is ambiguous which hour is meant."""
    with pytest.raises(TemplateError, match="datetime needs an ISO 8601 time with a zone"):
        written(folder, "x|datetime", value)


@pytest.mark.parametrize(
    "value",
    [
        "https://acme.example",
        "https://acme.example:8443/a/b?c=d&e=%20#f",
        "https://acme.example/@maria",
        "https://bücher.example/ä",
        "https://shop.example/reset?email=o'brien%40example.com&t=abc",
        "https://o'brien.example/it's/(a)*b!;c=$1,2+3~#it's",
        "https://acme.example?a=b",
        "https://acme.example#a?/:@",
        "https://acme.example:/a",
        "HTTPS://ACME.example/",
        "https://[2001:db8::1]:8443/a",
        "https://192.0.2.1/a",
        "https://acme.example//a//?b=https://c.example/d?e:f@g",
        "https://हिन्दी.example/தமிழ்",
        "https://fa.example/\u0645\u06cc\u200c\u062e\u0648",
        "https://acme.example/👩\u200d💻",
    ],
)
def test_an_https_address_is_let_through(folder: Path, value: str) -> None:
    """As it is."""
    assert written(folder, "x|link", value) == value


@pytest.mark.parametrize(
    "value",
    [
        "http://acme.example",
        "javascript:alert(1)",
        "JAVASCRIPT:alert(1)",
        " https://acme.example",
        "https://acme.example\n",
        "https://acme.example/a b",
        "https://acme.example@evil.example/",
        "https://acme.example\\@evil.example/",
        "https:///a",
        'https://acme.example/"onclick="x',
        "data:text/html,x",
        "//acme.example",
        "https://acme.example:port/",
        "https://acme.example:99999/",
        "https://acme.example%40evil.example/",
        "https://evil.example%2f.acme.example/",
        "https://ac%E2%80%8Bme.example/",
        "https://user:secret@acme.example/",
        "https://acme.example/%",
        "https://acme.example/%4",
        "https://acme.example/a|b",
        "https://acme.example/<b>",
        "https://acme.example/a`b",
        "https://acme.example/{a}",
        "https://acme.example/a#b#c",
        "https://[::1",
        "https://acme.example\uff20evil.example/",
        "https://evil.example\uff0f.acme.example/",
        "https://evil.example\u2100.acme.example/",
        "https://acme.example/\x7f",
        "https://acme.example/\x85",
        "https://acme.example/\u00a0",
        "https://acme.example/\u2028",
        "https://acme.example/\ud800",
        "",
        5,
        None,
    ],
)
def test_what_only_looks_like_a_link_is_refused(folder: Path, value: object) -> None:
    """Scripts, other schemes, user names that pose as hosts, and breaks."""
    with pytest.raises(TemplateError, match="link needs an https:// address"):
        written(folder, "x|link", value)


@pytest.mark.parametrize(
    "unseen",
    [
        *"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
        *"\u200e\u200f\u061c\u00ad\u200b\u2060\ufeff\U000e0041",
        *"\u3164\u115f\uffa0\ufe0f\u034f\u180b\u2800",
    ],
)
@pytest.mark.parametrize(
    "address",
    [
        "https://a{}b.example/",
        "https://a.example/{}gpj.exe",
        "https://a.example/?{}",
        "https://a.example/#a{}",
    ],
)
def test_a_link_holds_nothing_that_turns_or_hides_its_text(
    folder: Path, address: str, unseen: str
) -> None:
    """A bidirectional override shows another address than the one that is opened."""
    with pytest.raises(TemplateError, match="link needs an https:// address"):
        written(folder, "x|link", address.format(unseen))


@pytest.mark.parametrize("joiner", ["\u200c", "\u200d"])
def test_a_host_has_no_joiners(folder: Path, joiner: str) -> None:
    """Two hosts that look the same could not be distinguished."""
    with pytest.raises(TemplateError, match="link needs an https:// address"):
        written(folder, "x|link", f"https://ac{joiner}me.example/")


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("Maria Weber", "Maria Weber"),
        ("Dr. J. R. Weber", "Dr. J. R. Weber"),
        ("Win at https://evil.example/x", "Win at https: evil. example/x"),
        ("www.evil.example", "www. evil. example"),
        ("mail a@evil.example", "mail a@ evil. example"),
        ("हिन्दी.com", "हिन्दी. com"),
        ("தமிழ்.com", "தமிழ். com"),
        ("evil.हिन्दी", "evil. हिन्दी"),
        ("cafe\u0301.com", "cafe\u0301. com"),
        ("משה.קום", "משה. קום"),
        ("i❤.ws", "i❤. ws"),
        ("evil.🍕.ws", "evil. 🍕. ws"),
        ("evil.\u200bcom", "evil. \u200bcom"),
        ("evil\u200d.com", "evil\u200d. com"),
        ("例え。テスト", "例え。 テスト"),
        ("evil\uff0ecom evil\uff61com", "evil\uff0e com evil\uff61 com"),
        ("a\uff20evil.example", "a\uff20 evil. example"),
        ('"a b"@evil.example', '"a b"@ evil. example'),
        ("a@[192.0.2.1]", "a@ [192. 0. 2. 1]"),
        ("evil.-x.example", "evil. -x. example"),
        ("mailto:a@evil.example", "mailto: a@ evil. example"),
        ("tel:+15550100", "tel: +15550100"),
        ("https:/evil.example", "https: /evil. example"),
        ("file:///etc", "file: /etc"),
        (r"\\evil\share", r"\ \evil\share"),
        ("Meet at 12:30", "Meet at 12:30"),
        ('Weber & Co. (Ltd.), "B." ...', 'Weber & Co. (Ltd.), "B." ...'),
    ],
)
def test_a_name_cannot_carry_a_link(folder: Path, value: str, wanted: str) -> None:
    """Mail clients make links of bare addresses; a stranger's name must not contain one."""
    assert written(folder, "x|unlinked", value) == wanted


@given(
    text=st.text()
    | st.lists(st.sampled_from([*".@:/\\-_[a", "é", "ि", "❤", "\u200d"])).map("".join)
)
def test_no_dot_or_at_is_left_between_two_parts_of_a_name(text: str) -> None:
    """Whatever the script, in which a letter may end in a mark that is none."""
    broken = unlinked(text)
    assert re.sub(r"[\s/]", "", broken) == re.sub(r"[\s/]", "", text)
    for joint in re.finditer(r"\S[.@](.)", broken):
        assert joint[1].isspace() or (joint[1] in string.punctuation and joint[1] not in "-_[")
    assert "://" not in broken
    assert unlinked(broken) == broken


def test_only_text_can_be_unlinked(folder: Path) -> None:
    """A number or null is a mistake of the producer."""
    with pytest.raises(TemplateError, match="unlinked needs text"):
        written(folder, "x|unlinked", None)
