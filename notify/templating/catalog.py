"""The template files, and those for a name, a channel and a locale."""

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
    """The folders from which a template's files come."""

    PACKAGED = "packaged"
    OPERATOR = "operator"
    MIXED = "mixed"
    """The packaged template, with files that the operator replaced or added."""


@dataclass(frozen=True, slots=True)
class TemplateInfo:
    """The facts about a template that need no rendering."""

    name: str
    channels: tuple[Channel, ...]
    locales: tuple[str, ...]
    """Its locales' folders, such as `de` or `pt_br`; empty if its files are in no such folder."""
    variables: tuple[str, ...]
    """The names that its files read from the data, including those with a default."""
    origin: TemplateOrigin


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    locale: str
    channel: Channel
    part: str


@dataclass(frozen=True, slots=True)
class Catalog:
    """The template files of both folders at the time when they were listed."""

    files: dict[str, _File | None]
    """By path, the part that a file is; None for a file that other templates extend or include."""
    operator: frozenset[str]
    misplaced: tuple[str, ...]
    """The mistakes of files that cannot belong to a template."""

    @classmethod
    def of(cls, packaged: Iterable[str], *, operator: Iterable[str] = ()) -> Catalog:
        """Return the catalog of the paths of both folders, in alphabetical order."""
        files: dict[str, _File | None] = {}
        misplaced = []
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
                misplaced.append(str(error))
        return cls(files, own, tuple(misplaced))

    def names(self) -> list[str]:
        """Return every template's name, in alphabetical order."""
        return sorted({file.name for file in self.files.values() if file is not None})

    def channels(self, name: str) -> tuple[Channel, ...]:
        """Return the channels for which a template has a file."""
        found = {file.channel for _, file in self._of(name)}
        return tuple(channel for channel in Channel if channel in found)

    def locales(self, name: str) -> tuple[str, ...]:
        """Return the locales for which a template has a folder."""
        return tuple(sorted({file.locale for _, file in self._of(name) if file.locale}))

    def paths(self, name: str) -> list[str]:
        """Return the files of a template."""
        return [path for path, _ in self._of(name)]

    def origin(self, name: str) -> TemplateOrigin:
        """The folders from which a template's files come."""
        whose = {path in self.operator for path in self.paths(name)}
        if len(whose) == 2:
            return TemplateOrigin.MIXED
        return TemplateOrigin.OPERATOR if True in whose else TemplateOrigin.PACKAGED

    def find(
        self, name: str, channel: Channel, locales: Sequence[str]
    ) -> tuple[str, frozenset[str]]:
        """Return the first of the locales that has the channel, and its parts there.

        Raises:
            TemplateError: There is no such template, or it has no version for this channel, or a
                part is missing that the channel requires.
        """
        if not _NAME.fullmatch(name):
            raise TemplateError("a template's name has only a to z, 0 to 9 and _")
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
        """Return the mistakes of files without a template, and of versions that lack a part."""
        versions: dict[tuple[str, str, Channel], set[str]] = {}
        for file in self.files.values():
            if file is not None:
                versions.setdefault((file.name, file.locale, file.channel), set()).add(file.part)
        found = list(self.misplaced)
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
        raise TemplateError(f"{path}: must be <name>/[<locale>/]<channel>.<part>.j2")
    name, locale, part = match["name"], match["locale"] or "", match["part"]
    if not _NAME.fullmatch(name):
        raise TemplateError(f"{path}: a template's name has only a to z, 0 to 9 and _")
    if locale and not is_folder(locale):
        raise TemplateError(f"{path}: a locale's folder is in lower case, such as pt_br")
    if match["channel"] not in list(Channel):
        raise TemplateError(f"{path}: there is no channel {match['channel']!r}")
    channel = Channel(match["channel"])
    parts = [each.name for each in CHANNELS[channel].parts]
    if part not in parts:
        raise TemplateError(f"{path}: the parts of {channel} are: {', '.join(parts)}")
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
