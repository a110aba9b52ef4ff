"""Files on this machine as attachments of a request."""

from __future__ import annotations

import mimetypes
from base64 import b64encode
from pathlib import Path

import click

_ANY = "application/octet-stream"


def _files(
    _context: click.Context, _option: click.Parameter, paths: tuple[Path, ...]
) -> list[dict[str, str]]:
    return [attached(path) for path in paths]


def attached(path: Path) -> dict[str, str]:
    """Return a file as the contract has it; its type is guessed from its name."""
    try:
        content = b64encode(path.read_bytes()).decode()
    except OSError as error:
        raise click.BadParameter(f"{path}: {error.strerror}") from None
    kind, encoding = mimetypes.guess_type(path.name)
    type_ = _ANY if kind is None or encoding is not None else kind
    return {"name": path.name, "type": type_, "content": content}


attach_option = click.option(
    "--attach",
    "attachments",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    multiple=True,
    callback=_files,
    help="Attach a file to the email. May be given several times.",
)
"""Adds the files to a command, which receives them as `attachments`."""
