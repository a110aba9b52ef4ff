"""Render a template's name and a producer's data into the content of one message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2

from notify.channels import CHANNELS
from notify.contract import RequestInvalid, parse
from notify.errors import ConfigError, TemplateError
from notify.message import Channel, Content
from notify.templating.catalog import Catalog, TemplateInfo
from notify.templating.dialect import TemplateSandbox
from notify.templating.flat import flattened
from notify.templating.locales import fallbacks
from notify.templating.mistakes import mistakes
from notify.templating.pages import page
from notify.templating.writing import UNSUBSCRIBE_URL, CompiledPart, checked, explain

# The key is a name, a channel and a locale as producers write it, which can be any text.
_CACHED_MESSAGES = 1024


@dataclass(frozen=True, slots=True)
class _Message:
    """The compiled parts of one template for one channel, all from one locale's folder."""

    locale: str
    parts: Mapping[str, CompiledPart]


@dataclass(frozen=True, slots=True)
class _Loaded:
    """The files of both folders, read at one time; `reload` replaces it."""

    sandbox: TemplateSandbox
    catalog: Catalog
    messages: dict[tuple[str, Channel, str | None], _Message] = field(default_factory=dict)


class Templates:
    """
    The templates of the packaged folder and of the operator's, which has precedence.

    A file of the operator replaces the packaged file of the same path, so that a single subject,
    language or the shared layout can be changed. Safe to use from several threads.

    Args:
        folder: The operator's folder, or None for the packaged templates only.
        default_locale: The language to use if a template lacks the requested one.

    Raises:
        ConfigError: The folder does not exist, or the locale is not one.
    """

    def __init__(self, folder: Path | None = None, *, default_locale: str = "en") -> None:
        try:
            self._defaults = fallbacks(default_locale)
        except TemplateError as error:
            raise ConfigError(f"templates.default_locale: {error}") from None
        self._folder = folder
        self._loaded = self._read()

    def reload(self) -> None:
        """Read the folders again; a render in progress finishes with the old files.

        Raises:
            ConfigError: The operator's folder is missing, or files have mistakes, which the text
                lists; the old templates stay in use.
        """
        loaded = self._read()
        if problems := mistakes(loaded.sandbox, loaded.catalog):
            raise ConfigError("\n  ".join(["the templates have mistakes:", *problems]))
        self._loaded = loaded

    def has_files_of(self, other: Templates) -> bool:
        """Return whether both have the same files with the same texts."""
        mine, theirs = self._loaded, other._loaded
        same = mine.catalog.operator == theirs.catalog.operator
        return same and _texts(mine.sandbox) == _texts(theirs.sandbox)

    def render(
        self,
        name: str,
        *,
        channel: Channel,
        locale: str | None,
        data: Mapping[str, Any],
        unsubscribe_url: str | None = None,
    ) -> Content:
        """Return a template's content with a producer's data.

        Args:
            name: The template's name, such as `login_code`.
            channel: The version of the template.
            locale: The recipient's language, such as `pt-BR`; falls back to `pt`, then to the
                default locale, then to the files that are in no locale's folder.
            data: The values of the template's variables: plain JSON values.
            unsubscribe_url: The variable of that name; the data's own if None.

        Raises:
            TemplateError: There is no such template, it is broken, data are missing, or the result
                may not be sent. The text never contains a value of the data.
        """
        message = self._message(name, channel, locale)
        values = self._loaded.sandbox.values(data, locale=message.locale)
        if unsubscribe_url is not None:
            values[UNSUBSCRIBE_URL] = unsubscribe_url
        words = {
            part: checked(each.write(values), part=part, where=str(each.template.name))
            for part, each in message.parts.items()
        }
        return CHANNELS[channel].content(words)

    def page(
        self, name: str, *, languages: Iterable[str], values: Mapping[str, Any]
    ) -> tuple[str, str]:
        """
        Return the HTML of a web page, and its language; see `pages.page`.

        Raises:
            TemplateError: No language has it, or it is broken.
        """
        return page(
            self._loaded.sandbox,
            name,
            languages=languages,
            defaults=(*self._defaults, "en"),
            values=values,
        )

    def names(self) -> list[TemplateInfo]:
        """Return every template, by name, with the variables that its files read."""
        loaded = self._loaded
        return [
            TemplateInfo(
                name=name,
                channels=loaded.catalog.channels(name),
                locales=loaded.catalog.locales(name),
                variables=tuple(sorted(self._variables(loaded, name))),
                origin=loaded.catalog.origin(name),
            )
            for name in loaded.catalog.names()
        ]

    def problems(self) -> list[str]:
        """Return every mistake of any file, one line each, whether or not the file is in use."""
        loaded = self._loaded
        return mistakes(loaded.sandbox, loaded.catalog)

    def sample(self, name: str) -> dict[str, Any]:
        """Return the example data in the template's `sample.json`, or nothing if it has none."""
        loaded = self._loaded
        if name not in loaded.catalog.names():
            raise TemplateError(f"there is no template {name!r}; `notify template ls` lists them")
        try:
            return parse(loaded.sandbox.source(f"{name}/sample.json").encode())
        except jinja2.TemplateNotFound:
            return {}
        except RequestInvalid as error:
            why = error.problems[0].for_author.replace("the body", "it")
            raise TemplateError(f"{name}/sample.json is not a JSON object: {why}") from None

    def _read(self) -> _Loaded:
        packaged = jinja2.PackageLoader("templates", "")
        if self._folder is None:
            return _Loaded(_in_memory(packaged), Catalog.of(packaged.list_templates()))
        if not self._folder.is_dir():
            raise ConfigError(f"templates.folder: {self._folder} is not a folder")
        ours = jinja2.FileSystemLoader(self._folder)
        return _Loaded(
            _in_memory(jinja2.ChoiceLoader([ours, packaged])),
            Catalog.of(packaged.list_templates(), operator=ours.list_templates()),
        )

    def _message(self, name: str, channel: Channel, locale: str | None) -> _Message:
        loaded = self._loaded
        key = (name, channel, locale)
        message = loaded.messages.get(key)
        if message is None:
            message = self._load(loaded, name, channel, locale)
            if len(loaded.messages) >= _CACHED_MESSAGES:
                loaded.messages.clear()
            loaded.messages[key] = message
        return message

    def _load(self, loaded: _Loaded, name: str, channel: Channel, locale: str | None) -> _Message:
        wanted = fallbacks(locale) if locale is not None else ()
        found, parts = loaded.catalog.find(name, channel, (*wanted, *self._defaults, ""))
        folder = f"{name}/{found}" if found else name
        compiled = {}
        for part in (each.name for each in CHANNELS[channel].parts if each.name in parts):
            path = f"{folder}/{channel}.{part}.j2"
            try:
                template = loaded.sandbox.get_template(path)
            except jinja2.TemplateError as error:
                raise TemplateError(explain(error, path)) from None
            compiled[part] = CompiledPart(template, flattened(loaded.sandbox, path))
        return _Message((found or self._defaults[0]).replace("_", "-"), compiled)

    @staticmethod
    def _variables(loaded: _Loaded, name: str) -> set[str]:
        found: set[str] = set()
        for path in loaded.catalog.paths(name):
            try:
                found |= loaded.sandbox.variables(path)
            except jinja2.TemplateError:
                continue  # `problems` reports it; the list shows what can be read
        return found


def _texts(sandbox: TemplateSandbox) -> Mapping[str, str]:
    """Return all files by their paths."""
    return {path: sandbox.source(path) for path in sandbox.list_templates()}


def _in_memory(loader: jinja2.BaseLoader) -> TemplateSandbox:
    """Read all files now, so that files read later are not mixed with those in use."""
    sandbox = TemplateSandbox(loader)
    sources, problems = {}, []
    for path in loader.list_templates():
        if not path.endswith((".j2", ".json")):
            continue
        try:
            # A byte order mark, which some editors write, would be printed; each file may have one.
            sources[path] = sandbox.source(path).lstrip("\ufeff")
        except (OSError, UnicodeDecodeError, jinja2.TemplateNotFound):
            problems.append(f"{path}: cannot be read as UTF-8 text by this user")
    if problems:
        raise ConfigError("\n  ".join(["the templates have mistakes:", *problems]))
    sandbox.loader = jinja2.DictLoader(sources)
    return sandbox
