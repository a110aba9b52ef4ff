"""What people give to a command as text: arguments, files and standard input, read as UTF-8."""

from __future__ import annotations

import codecs
import sys
from pathlib import Path
from typing import IO, Any

import click

from notify.contract import RequestInvalid, parse
from notify.errors import NotifyError

NUMBER = click.IntRange(min=1, max=2**62)
"""A number that names or counts something on record."""

# The longer marks first: that of UTF-32 begins like that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "is UTF-32"),
    (codecs.BOM_UTF32_BE, "is UTF-32"),
    (codecs.BOM_UTF16_LE, "is UTF-16"),
    (codecs.BOM_UTF16_BE, "is UTF-16"),
    (codecs.BOM_UTF8, "begins with a byte order mark"),
)


def name_of(file: IO[bytes]) -> str:
    """Return what to call an open file in an error."""
    name = str(getattr(file, "name", "<stdin>"))
    return "standard input" if name == "<stdin>" else name


def refuse_foreign(head: bytes, *, name: str) -> None:
    """
    Refuse a file by its first bytes, where they are not those of plain UTF-8.

    Raises:
        NotifyError: Says what it is instead, and what to do.
    """
    found = next((what for mark, what in _MARKS if head.startswith(mark)), None)
    if found is None and b"\0" in head[:2]:
        found = "is UTF-16 or UTF-32"
    if found is not None:
        raise NotifyError(f"{name} {found}: save it as UTF-8 without a byte order mark")


def standard_input() -> bytes:
    """Read standard input to its end, as bytes."""
    return sys.stdin.buffer.read()


def text_of(content: bytes, *, name: str) -> str:
    """
    Read bytes as UTF-8 text.

    Raises:
        NotifyError: They are not; says where.
    """
    refuse_foreign(content, name=name)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise NotifyError(f"{name} is not UTF-8 at byte {error.start}: save it as UTF-8") from None


def json_object(content: str | bytes, *, option: str) -> dict[str, Any]:
    """
    Read a JSON object as strictly as the contract reads requests.

    Raises:
        click.BadParameter: It is not one; says where and why, and no value.
    """
    given = content.encode(errors="surrogatepass") if isinstance(content, str) else content
    try:
        return parse(given)
    except RequestInvalid as error:
        why = error.problems[0].for_author.replace("the body", "it")
        raise click.BadParameter(
            f"""not a JSON object, such as '{{"code": "123456"}}': {why}""", param_hint=option
        ) from None


def json_argument(given: str, *, option: str) -> dict[str, Any]:
    """
    Read the JSON object of an option: the object itself, or `@` and a file's name, `@-` for stdin.

    Raises:
        click.BadParameter: The file cannot be read, or it is no JSON object.
    """
    if not given.startswith("@"):
        return json_object(given, option=option)
    try:
        content = standard_input() if given == "@-" else Path(given[1:]).read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise click.BadParameter(f"cannot read {given[1:]}: {reason}", param_hint=option) from None
    # A mark is no part of the one object that a file of sample data holds, as in templates.
    content = content.removeprefix(codecs.BOM_UTF8)
    refuse_foreign(content, name=given[1:])
    return json_object(content, option=option)


def first_line_of_stdin() -> str:
    """Read the first line of standard input, without the space around it."""
    return text_of(sys.stdin.buffer.readline(), name="standard input").strip()
