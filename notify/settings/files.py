"""Read the configuration's files as text, whichever editor wrote them."""

from __future__ import annotations

import codecs
import os
import re
from pathlib import Path

from notify.errors import ConfigError

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_MARK = "\ufeff"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def text_of(file: Path, *, name: str) -> str:
    """
    Return a file's text: UTF-8, without its byte order mark, each line ended by a line feed.

    Args:
        file: The file.
        name: The name of the file in errors.

    Raises:
        ConfigError: It cannot be read, or is not UTF-8; names the file and what to do.
    """
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{name}: {reason(error)}") from None
    if raw.startswith(_UTF16) or b"\x00" in raw:
        raise ConfigError(f"{name}: is UTF-16 or not text; save it as UTF-8")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        text = f"{name}: is not UTF-8 text (byte {error.start}); save it as UTF-8"
        raise ConfigError(text) from None
    return text.lstrip(_MARK).replace("\r\n", "\n").replace("\r", "\n")


def values_of(text: str, *, name: str) -> dict[str, str]:
    """
    Return the NAME=value lines of an environment file; any part may begin with a byte order mark.

    Args:
        text: The file's text.
        name: The name of the file in errors.

    Raises:
        ConfigError: A line has no valid name, or one that is set already; reports its number and
            never its text, which may be part of a secret.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        key, equals, value = line.partition("=")
        key, value = key.strip().lstrip(_MARK).strip(), value.strip()
        if not equals or key.startswith("#"):
            continue
        if not _VARIABLE.fullmatch(key):
            raise ConfigError(f"{name}: line {number} is not NAME=value; write it without export")
        if key in found:
            raise ConfigError(f"{name}: line {number} sets a name again; remove one of the two")
        quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
        found[key] = value[1:-1] if quoted else value
    return found


def reason(error: OSError) -> str:
    """Return why a file or folder cannot be read, and what to do."""
    if isinstance(error, FileNotFoundError):
        return "does not exist; create it, or name another"
    if isinstance(error, PermissionError):
        return "this user has no permission to read it; change its owner or mode"
    return f"cannot be read ({os.strerror(error.errno or 0)})"
