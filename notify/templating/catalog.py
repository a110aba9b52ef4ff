"""Which template files there are, and which of them serve a name, a channel and a locale."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from notify.channels import CHANNELS
from notify.errors import TemplateError
from notify.message import Channel
from notify.templating.locales import is_folder

_NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,99}")
_FILE = re.compile(
    r"(?P<name>[^/]+)/((?P<locale>[^/]+)/)?(?P<channel>[^/.]+)\.(?P<part>[^/.]+)\.j2"
)


class TemplateOrigin(enum.StrEnum):
    """Whose files a template is made of."""

    PACKAGED = "packaged"
    OPERATOR = "operator"
    MIXED = "mixed"
    """The packaged template, with some files replaced or added by the operator."""


@dataclass(frozen=True, slots=True)
class TemplateInfo:
    """What can be told of a template without rendering it."""

    name: str
    channels: tuple[Channel, ...]
    locales: tuple[str, ...]
    """Its locales' folders, such as `de` or `pt_br`; empty for files in no locale's folder."""
    variables: tuple[str, ...]
    """The names that its files read from the data, those with a default included."""
    origin: TemplateOrigin


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    locale: str
    channel: Channel
    part: str


@dataclass(frozen=True, slots=True)
class Catalog:
    """The template files of both folders as they were when they were listed."""

    files: dict[str, _File | None]
    """Path → what it is a part of; None for a file that other templates extend or include."""
    operator: frozenset[str]
    strangers: tuple[str, ...]
    """What is wrong with the files that can belong to no template."""

    @classmethod
    def of(cls, packaged: Iterable[str], *, operator: Iterable[str] = ()) -> Catalog:
        """Sort the paths of both folders; the order of `files` is that of the alphabet."""
        files: dict[str, _File | None] = {}
        strangers = []
        own = frozenset(operator)
        for path in sorted(own.union(packaged)):
            if not path.endswith(".j2"):
                continue
            if any(step.startswith("_") for step in path.split("/")):
                files[path] = None
                continue
            try:
                files[path] = _parse(path)
            except TemplateError as error:
                strangers.append(str(error))
        return cls(files, own, tuple(strangers))

    def names(self) -> list[str]:
        """Every template's name, in the order of the alphabet."""
        return sorted({file.name for file in self.files.values() if file is not None})

    def channels(self, name: str) -> tuple[Channel, ...]:
        """The channels that a template has any file for."""
        found = {file.channel for _, file in self._of(name)}
        return tuple(channel for channel in Channel if channel in found)

    def locales(self, name: str) -> tuple[str, ...]:
        """The locales that a template has a folder for."""
        return tuple(sorted({file.locale for _, file in self._of(name) if file.locale}))

    def paths(self, name: str) -> list[str]:
        """The files of a template."""
        return [path for path, _ in self._of(name)]

    def origin(self, name: str) -> TemplateOrigin:
        """Whose files a template is made of."""
        whose = {path in self.operator for path in self.paths(name)}
        if len(whose) == 2:
            return TemplateOrigin.MIXED
        return TemplateOrigin.OPERATOR if True in whose else TemplateOrigin.PACKAGED

    def find(
        self, name: str, channel: Channel, locales: Sequence[str]
    ) -> tuple[str, frozenset[str]]:
        """The first of the locales that serves the channel, and the parts it has.

        Raises:
            TemplateError: No such template, not for this channel, or a part is missing that the
                channel needs.
        """
        if not _NAME.fullmatch(name):
            raise TemplateError("a template's name holds a to z, 0 to 9 and _ only")
        versions = [file for _, file in self._of(name) if file.channel is channel]
        for locale in locales:
            parts = frozenset(file.part for file in versions if file.locale == locale)
            if parts:
                _require(name, locale, channel, parts)
                return locale, parts
        if not self.paths(name):
            raise TemplateError(f"there is no template {name!r}; `notify template ls` lists them")
        tried = ", ".join(locale for locale in dict.fromkeys(locales) if locale)
        raise TemplateError(f"template {name!r} has no {channel} version for any of: {tried}")

    def problems(self) -> list[str]:
        """Files that can belong to no template, and versions that lack a part."""
        versions: dict[tuple[str, str, Channel], set[str]] = {}
        for file in self.files.values():
            if file is not None:
                versions.setdefault((file.name, file.locale, file.channel), set()).add(file.part)
        found = list(self.strangers)
        for (name, locale, channel), parts in versions.items():
            try:
                _require(name, locale, channel, parts)
            except TemplateError as error:
                found.append(str(error))
        return found

    def _of(self, name: str) -> Iterator[tuple[str, _File]]:
        for path, file in self.files.items():
            if file is not None and file.name == name:
                yield path, file


def _parse(path: str) -> _File:
    match = _FILE.fullmatch(path)
    if match is None:
        raise TemplateError(f"{path}: is not <name>/[<locale>/]<channel>.<part>.j2")
    name, locale, part = match["name"], match["locale"] or "", match["part"]
    if not _NAME.fullmatch(name):
        raise TemplateError(f"{path}: a template's name holds a to z, 0 to 9 and _ only")
    if locale and not is_folder(locale):
        raise TemplateError(f"{path}: a locale's folder is written in lower case, as pt_br")
    if match["channel"] not in list(Channel):
        raise TemplateError(f"{path}: there is no channel {match['channel']!r}")
    channel = Channel(match["channel"])
    parts = [each.name for each in CHANNELS[channel].parts]
    if part not in parts:
        raise TemplateError(f"{path}: a part of {channel} is one of: {', '.join(parts)}")
    return _File(name, locale, channel, part)


def _require(name: str, locale: str, channel: Channel, parts: Iterable[str]) -> None:
    needed = [part.name for part in CHANNELS[channel].parts if part.in_every_template]
    missing = [part for part in needed if part not in parts]
    if missing:
        folder = f"{name}/{locale}" if locale else name
        lacks = " and ".join(f"{channel}.{part}.j2" for part in missing)
        are = "is" if len(missing) == 1 else "are"
        raise TemplateError(
            f"{folder}: {lacks} {are} missing; {channel} needs {' and '.join(needed)}"
        )
