"""From a template's name and a producer's data to the final words of one message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2

from notify.channels import CHANNELS
from notify.contract import RequestInvalid, parse
from notify.errors import ConfigError, TemplateError
from notify.message import Channel, Content
from notify.templating.catalog import Catalog, TemplateInfo
from notify.templating.dialect import BUDGET, Budget, TemplateSandbox
from notify.templating.locales import fallbacks
from notify.templating.mistakes import mistakes
from notify.templating.writing import checked, explain, write

# A key is a name, a channel and a locale as producers write it; the last can be anything.
_CACHED_MESSAGES = 1024


@dataclass(frozen=True, slots=True)
class _Message:
    """The compiled parts of one template for one channel, all from one locale's folder."""

    locale: str
    parts: Mapping[str, jinja2.Template]


@dataclass(frozen=True, slots=True)
class _Shelf:
    """All that was read from the folders at one time; `reload` puts another in its place."""

    sandbox: TemplateSandbox
    catalog: Catalog
    messages: dict[tuple[str, Channel, str | None], _Message] = field(default_factory=dict)


class Templates:
    """
    The templates of the packaged folder and of the operator's, whose files come first.

    A file of the operator replaces the packaged file of the same path, so that one subject, one
    language or the shared layout can be changed alone. Safe to use from several threads.

    Args:
        folder: The operator's folder, or None for the packaged templates only.
        default_locale: Which language to use where a template lacks the one asked for.

    Raises:
        ConfigError: The folder does not exist, or the locale is not one.
    """

    def __init__(self, folder: Path | None = None, *, default_locale: str = "en") -> None:
        try:
            self._defaults = fallbacks(default_locale)
        except TemplateError as error:
            raise ConfigError(f"templates.default_locale: {error}") from None
        self._folder = folder
        self._shelf = self._read()

    def reload(self) -> None:
        """Read the folders again; a render that is under way finishes with what it has.

        Raises:
            ConfigError: The operator's folder is gone, or files have mistakes, which the text
                lists; the templates stay as they were.
        """
        shelf = self._read()
        if problems := mistakes(shelf.sandbox, shelf.catalog):
            raise ConfigError("\n  ".join(["the templates have mistakes:", *problems]))
        self._shelf = shelf

    def render(
        self, name: str, *, channel: Channel, locale: str | None, data: Mapping[str, Any]
    ) -> Content:
        """Fill a template with a producer's data.

        Args:
            name: The template's name, such as `login_code`.
            channel: Which of its versions.
            locale: The recipient's language, such as `pt-BR`; falls back to `pt`, then to the
                default locale, then to the files that stand in no locale's folder.
            data: What the template's variables stand for: plain JSON values.

        Raises:
            TemplateError: There is no such template, it is broken, the data lacks something, or
                the result may not be sent. The text never holds a value of the data.
        """
        message = self._message(name, channel, locale)
        values = {**data, "locale": message.locale, BUDGET: Budget()}
        words = {
            part: checked(write(template, values), part=part, where=str(template.name))
            for part, template in message.parts.items()
        }
        return CHANNELS[channel].content(words)

    def names(self) -> list[TemplateInfo]:
        """Every template by name, with the variables that its files read."""
        shelf = self._shelf
        return [
            TemplateInfo(
                name=name,
                channels=shelf.catalog.channels(name),
                locales=shelf.catalog.locales(name),
                variables=tuple(sorted(self._variables(shelf, name))),
                origin=shelf.catalog.origin(name),
            )
            for name in shelf.catalog.names()
        ]

    def problems(self) -> list[str]:
        """All that is wrong with any file, one line each, whether or not it is in use."""
        shelf = self._shelf
        return mistakes(shelf.sandbox, shelf.catalog)

    def sample(self, name: str) -> dict[str, Any]:
        """The example data in the template's `sample.json`, or nothing where it has none."""
        shelf = self._shelf
        if name not in shelf.catalog.names():
            raise TemplateError(f"there is no template {name!r}; `notify template ls` lists them")
        try:
            return parse(shelf.sandbox.source(f"{name}/sample.json").encode())
        except jinja2.TemplateNotFound:
            return {}
        except RequestInvalid as error:
            why = error.problems[0].for_author.replace("the body", "it")
            raise TemplateError(f"{name}/sample.json is not a JSON object: {why}") from None

    def _read(self) -> _Shelf:
        packaged = jinja2.PackageLoader("templates", "")
        if self._folder is None:
            return _Shelf(_kept(packaged), Catalog.of(packaged.list_templates()))
        if not self._folder.is_dir():
            raise ConfigError(f"templates.folder: {self._folder} is not a folder")
        ours = jinja2.FileSystemLoader(self._folder)
        return _Shelf(
            _kept(jinja2.ChoiceLoader([ours, packaged])),
            Catalog.of(packaged.list_templates(), operator=ours.list_templates()),
        )

    def _message(self, name: str, channel: Channel, locale: str | None) -> _Message:
        shelf = self._shelf
        key = (name, channel, locale)
        message = shelf.messages.get(key)
        if message is None:
            message = self._load(shelf, name, channel, locale)
            if len(shelf.messages) >= _CACHED_MESSAGES:
                shelf.messages.clear()
            shelf.messages[key] = message
        return message

    def _load(self, shelf: _Shelf, name: str, channel: Channel, locale: str | None) -> _Message:
        wanted = fallbacks(locale) if locale is not None else ()
        found, parts = shelf.catalog.find(name, channel, (*wanted, *self._defaults, ""))
        folder = f"{name}/{found}" if found else name
        compiled = {}
        for part in (each.name for each in CHANNELS[channel].parts if each.name in parts):
            path = f"{folder}/{channel}.{part}.j2"
            try:
                compiled[part] = shelf.sandbox.get_template(path)
            except jinja2.TemplateError as error:
                raise TemplateError(explain(error, path)) from None
        return _Message((found or self._defaults[0]).replace("_", "-"), compiled)

    @staticmethod
    def _variables(shelf: _Shelf, name: str) -> set[str]:
        found: set[str] = set()
        for path in shelf.catalog.paths(name):
            try:
                found |= shelf.sandbox.variables(path)
            except jinja2.TemplateError:
                continue  # `problems` tells; the listing shows what can be read
        return found


def _kept(loader: jinja2.BaseLoader) -> TemplateSandbox:
    """Read all files now: one that is first used later must not be mixed with what is in force."""
    sandbox = TemplateSandbox(loader)
    sources, problems = {}, []
    for path in loader.list_templates():
        if not path.endswith((".j2", ".json")):
            continue
        try:
            # A byte order mark, as some editors write it, would be printed; each file may have one.
            sources[path] = sandbox.source(path).lstrip("\ufeff")
        except (OSError, UnicodeDecodeError, jinja2.TemplateNotFound):
            problems.append(f"{path}: cannot be read as UTF-8 text by this user")
    if problems:
        raise ConfigError("\n  ".join(["the templates have mistakes:", *problems]))
    sandbox.loader = jinja2.DictLoader(sources)
    return sandbox
