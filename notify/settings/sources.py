"""The sources of options: environment, credentials, TOML file, defaults, the strongest first."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from notify.errors import ConfigError
from notify.keyring import NAME as KEYRING
from notify.settings.files import reason, text_of, values_of
from notify.settings.model import DEFAULT_LANES, DEFAULT_POOLS
from notify.settings.orchestrator import describes_a_service

Key = tuple[str, ...]

PREFIX = "NOTIFY_"
DEFAULT_PATH = Path("/etc/notify/notify.toml")

# Not options: the file's path, systemd's socket for a service of Type=notify, and the keyring.
CREDENTIALS = "NOTIFY_CREDENTIALS"
"""The variable that names one file of credentials, instead of the folder of systemd's variable."""
_NOT_OPTIONS = frozenset({"NOTIFY_CONFIG", CREDENTIALS, "NOTIFY_SOCKET", KEYRING})

_TABLES = ("lanes", "pools", "channels", "providers", "limits", "caps", "categories", "senders")


@dataclass(frozen=True, slots=True)
class Origin:
    """The source of a value."""

    kind: str
    """`environment`, `credential`, `file` or `default`."""
    name: str = ""
    """The variable's, the credential's or the file's name."""


@dataclass(frozen=True, slots=True)
class Tree:
    """The values of all sources, merged and not yet validated."""

    file: Path | None
    text: str = field(default="", repr=False)
    """The file's text; it may contain secrets that belong elsewhere."""
    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[Key, Origin] = field(default_factory=dict)

    def put(self, key: Key, value: Any, origin: Origin) -> None:
        """Set one value, overriding an earlier one."""
        table = self.values
        for part in key[:-1]:
            inner = table.get(part)
            if not isinstance(inner, dict):
                inner = table[part] = {}
            table = inner
        if value != {} or not isinstance(table.get(key[-1]), dict):
            table[key[-1]] = dict(value) if isinstance(value, Mapping) else value
        self.origins[key] = origin

    def origin(self, key: Key) -> Origin:
        """Return the source of this value, or of something in it."""
        for length in range(len(key), 0, -1):
            if key[:length] in self.origins:
                return self.origins[key[:length]]
        inner = [origin for known, origin in self.origins.items() if known[: len(key)] == key]
        return inner[-1] if inner else Origin("default")


def read(path: Path | None, *, environ: Mapping[str, str]) -> Tree:
    """
    Return the merged values of all sources.

    Raises:
        ConfigError: The file or a credential cannot be read; the file is not TOML (with the line);
            two variables or two credentials set the same option.
    """
    file = _file(path, environ)
    text = text_of(file, name=str(file)) if file is not None else ""
    tree = Tree(file, text)
    for key, value in leaves({"lanes": DEFAULT_LANES, "pools": DEFAULT_POOLS}):
        tree.put(key, value, Origin("default"))
    if file is not None:
        for key, value in _toml(file, text):
            tree.put(key, value, Origin("file", str(file)))
    for kind, source in (("credential", credentials(environ)), ("environment", environ)):
        for key, name in _named(source).items():
            tree.put(key, source[name], Origin(kind, name))
    _remove_disabled(tree.values)
    return tree


def _named(source: Mapping[str, str]) -> dict[Key, str]:
    """Return the name that sets each option; two names in different case are a mistake."""
    names: dict[Key, str] = {}
    for name in sorted(source.keys() - _NOT_OPTIONS):
        if name.startswith(PREFIX) and not describes_a_service(name, source[name]):
            key = tuple(name.removeprefix(PREFIX).lower().split("__"))
            if key in names:
                raise ConfigError(f"{names[key]} and {name} set the same option; remove one")
            names[key] = name
    return names


def _remove_disabled(values: dict[str, Any]) -> None:
    """Remove tables that are set to false, which is how to disable a default lane or pool."""
    for section in _TABLES:
        table = values.get(section)
        if isinstance(table, dict):
            values[section] = {k: v for k, v in table.items() if v not in (False, "false")}


def leaves(table: Mapping[str, Any], above: Key = ()) -> Iterator[tuple[Key, Any]]:
    """Yield every value of nested tables with its key; an empty table is a value."""
    for name, value in table.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, (*above, str(name)))
        else:
            yield (*above, str(name)), value


def credentials(environ: Mapping[str, str]) -> dict[str, str]:
    """
    Return the values in `credential_files`: one a file, or NAME=value lines in `*.env`.

    Raises:
        ConfigError: The folder or a file in it cannot be read, or two files set the same name.
    """
    found: dict[str, str] = {}
    for file in credential_files(environ):
        place = f"credential {file.name}"
        text = text_of(file, name=place).strip()
        values = values_of(text, name=place) if file.suffix == ".env" else {file.name: text}
        for name in sorted(found.keys() & values.keys()):
            raise ConfigError(f"{place}: {name} is also set in another credential; remove one")
        found |= values
    return found


def credential_files(environ: Mapping[str, str]) -> list[Path]:
    """Return the file $NOTIFY_CREDENTIALS, else those of $CREDENTIALS_DIRECTORY by their names."""
    if file := environ.get(CREDENTIALS):
        return [Path(file)]
    folder = environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        return []
    try:
        files = sorted(Path(folder).iterdir())
    except OSError as error:
        raise ConfigError(f"$CREDENTIALS_DIRECTORY ({folder}): {reason(error)}") from None
    named = re.compile(r"[A-Z][A-Z0-9_]*|[\w-]+\.env")
    return [file for file in files if named.fullmatch(file.name) and file.is_file()]


def _file(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    if path is not None:
        return path
    if environ.get("NOTIFY_CONFIG"):
        return Path(environ["NOTIFY_CONFIG"])
    return DEFAULT_PATH if DEFAULT_PATH.exists() else None


def _toml(file: Path, text: str) -> list[tuple[Key, Any]]:
    try:
        return list(leaves(tomllib.loads(text)))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is not valid TOML: {error}") from None
    except RecursionError:
        raise ConfigError(f"{file}: tables or lists are nested too deep; flatten them") from None
    except ValueError:
        # The only other refusal of the parser: an integer of thousands of digits.
        raise ConfigError(f"{file}: a number has too many digits; shorten it") from None
