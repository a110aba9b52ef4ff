"""Text that operators pass to a command: arguments, files and standard input, read as UTF-8."""

from __future__ import annotations

import codecs
import sys
from pathlib import Path
from typing import IO, Any

import click

from notify.contract import RequestInvalid, parse
from notify.errors import NotifyError

NUMBER = click.IntRange(min=1, max=2**62)
"""The id or the count of something on record."""

# Longer marks first: the mark of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "is UTF-32"),
    (codecs.BOM_UTF32_BE, "is UTF-32"),
    (codecs.BOM_UTF16_LE, "is UTF-16"),
    (codecs.BOM_UTF16_BE, "is UTF-16"),
    (codecs.BOM_UTF8, "begins with a byte order mark"),
)


def name_of(file: IO[bytes]) -> str:
    """Return the name of an open file for error texts."""
    name = str(getattr(file, "name", "<stdin>"))
    return "standard input" if name == "<stdin>" else name


def refuse_foreign(head: bytes, *, name: str) -> None:
    """
    Refuse a file whose first bytes are not plain UTF-8.

    Raises:
        NotifyError: The text names the encoding, and what to do.
    """
    found = next((what for mark, what in _MARKS if head.startswith(mark)), None)
    if found is None and b"\0" in head[:2]:
        found = "is UTF-16 or UTF-32"
    if found is not None:
        raise NotifyError(f"{name} {found}: save it as UTF-8 without a byte order mark")


def standard_input() -> bytes:
    """Return all of standard input, as bytes."""
    return sys.stdin.buffer.read()


def text_of(content: bytes, *, name: str) -> str:
    """
    Decode bytes as UTF-8.

    Raises:
        NotifyError: They are not UTF-8; the text names the position.
    """
    refuse_foreign(content, name=name)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise NotifyError(f"{name} is not UTF-8 at byte {error.start}: save it as UTF-8") from None


def json_object(content: str | bytes, *, option: str) -> dict[str, Any]:
    """
    Parse a JSON object as strictly as the contract parses requests.

    Raises:
        click.BadParameter: It is not one; the text says where and why, and shows no value.
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
    Parse the JSON object of an option: the object, or `@` and a file's name, `@-` for stdin.

    Raises:
        click.BadParameter: The file cannot be read, or is not a JSON object.
    """
    if not given.startswith("@"):
        return json_object(given, option=option)
    try:
        content = standard_input() if given == "@-" else Path(given[1:]).read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise click.BadParameter(f"cannot read {given[1:]}: {reason}", param_hint=option) from None
    # As in templates, a mark before the one object of a file of sample data is ignored.
    content = content.removeprefix(codecs.BOM_UTF8)
    refuse_foreign(content, name=given[1:])
    return json_object(content, option=option)


def first_line_of_stdin() -> str:
    """Return the first line of standard input, without the space around it."""
    return text_of(sys.stdin.buffer.readline(), name="standard input").strip()
