"""The fallbacks for a locale that a template lacks, by the Unicode CLDR."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from babel import localedata
from babel.core import get_global

from notify.errors import TemplateError

_LOCALE = re.compile(r"[a-z0-9]{1,8}(_[a-z0-9]{1,8}){0,5}")
_SCRIPT = re.compile("[a-z]{4}")
_REGION = re.compile(r"[a-z]{2}|\d{3}")


def is_folder(name: str) -> bool:
    """Whether a folder's name is that of a locale: a language tag in lower case, with `_`."""
    return _LOCALE.fullmatch(name) is not None


def fallbacks(locale: str) -> tuple[str, ...]:
    """Return the folders to search for a locale, in order: `pt-BR` has `pt_br` and `pt`.

    A language's folder without a script has its usual script, and is not a fallback for another:
    `zh-TW` has `zh_tw`, `zh_hant_tw` and `zh_hant`. Regions have CLDR's parents, such as `es_419`
    for `es-MX`; replaced codes have the new ones.

    Raises:
        TemplateError: It is not a locale. The text does not repeat it.
    """
    folder = locale.lower().replace("-", "_")
    if not is_folder(folder):
        raise TemplateError("a locale is a language tag such as de or pt-BR")
    return tuple(dict.fromkeys(_steps(folder.split("_"))))


def _steps(parts: Sequence[str]) -> Iterator[str]:
    language, *rest = parts
    script = rest.pop(0) if rest and _SCRIPT.fullmatch(rest[0]) else None
    region = rest[0] if rest and _REGION.fullmatch(rest[0]) else None
    shorter = ["_".join(parts[:length]) for length in range(len(parts), 0, -1)]
    yield shorter[0]
    yield from (each for each in shorter[1:-1] if each != f"{language}_{script}")
    several = language in _with_several_scripts()
    usual = _script(language)
    likely = _script(language, region) if several else usual
    if region is not None and (script or several):
        yield from _with_parents(language, script or likely, region)
    if region is not None and script in (None, likely):
        yield from _with_parents(language, region)
    if script or several:
        yield f"{language}_{script or likely}"
    if usual in (None, script or likely):
        yield from _with_parents(language)
    if (alias := _alias(language)) is not None:
        yield from fallbacks("_".join([alias, *([region] if region else [])]))


def _alias(language: str) -> str | None:
    """Return the code that replaced a language's; plain Norwegian is Bokmål."""
    alias: str | None = {"no": "nb"}.get(language) or get_global("language_aliases").get(language)
    return alias


def _with_parents(*parts: str | None) -> Iterator[str]:
    name: str | None = "_".join(part for part in parts if part)
    while name is not None:
        yield name
        name = _parents().get(name)


def _script(language: str, region: str | None = None) -> str | None:
    likely = get_global("likely_subtags")
    tag = likely.get(f"{language}_{(region or '').upper()}") or likely.get(language)
    return tag.split("_")[1].lower() if tag else None


@cache
def _parents() -> dict[str, str]:
    return {name.lower(): above.lower() for name, above in get_global("parent_exceptions").items()}


@cache
def _with_several_scripts() -> frozenset[str]:
    """Return the languages that CLDR has in several scripts, such as `zh_Hans` and `zh_Hant`."""
    names = (name.lower().split("_") for name in localedata.locale_identifiers())
    written = {(parts[0], parts[1]) for parts in names if len(parts) == 2 and len(parts[1]) == 4}
    return frozenset(language for language, script in written if script == _script(language))
