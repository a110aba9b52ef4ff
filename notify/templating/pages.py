"""The translated pages of the web processes, from `_pages/<locale>/` in the template folders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import jinja2

from notify.errors import TemplateError
from notify.templating.dialect import TemplateSandbox
from notify.templating.locales import fallbacks
from notify.templating.writing import explain, write

FOLDER = "_pages"
"""The folder of pages, beside the templates."""
MOST_LANGUAGES = 10
"""Languages of one reader that are searched for."""


def page(
    sandbox: TemplateSandbox,
    name: str,
    *,
    languages: Iterable[str],
    defaults: Iterable[str],
    values: Mapping[str, Any],
) -> tuple[str, str]:
    """
    Return the HTML of a page in the first of a reader's languages that has it, and that language.

    Args:
        languages: Language tags, the preferred one first; those in another form are ignored.
        defaults: Locales' folders to search next.

    Raises:
        TemplateError: No language has it, or it is broken.
    """
    for locale in (*_folders(languages), *defaults):
        path = f"{FOLDER}/{locale}/{name}.html.j2"
        try:
            template = sandbox.get_template(path)
        except jinja2.TemplateNotFound:
            continue
        except jinja2.TemplateError as error:
            raise TemplateError(explain(error, path)) from None
        language = locale.replace("_", "-")
        return write(template, sandbox.values(values, locale=language)), language
    raise TemplateError(f"there is no page {name} in the default locale, nor in English")


def _folders(languages: Iterable[str]) -> Iterator[str]:
    for _, language in zip(range(MOST_LANGUAGES), languages, strict=False):
        try:
            yield from fallbacks(language)
        except TemplateError:
            continue
