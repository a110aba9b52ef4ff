"""The parts of an email's body: text, attachments, and parts of parts (RFC 2045 and 2046)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from urllib.parse import quote

from notify.message import Attachment

_LONGEST_LINE = 998
"""Characters of a line without its end (RFC 5322 section 2.1.1)."""
_UNPLAIN = re.compile("[^\t\n -~]")
_LONG_LINE = re.compile(f"[^\n]{{{_LONGEST_LINE + 1}}}")
_MOSTLY_OTHERS = 6
"""Base64 is shorter than quoted-printable if one of so many bytes is not ASCII."""
_BASE64 = 76
"""Characters of a line of Base64 (RFC 2045 section 6.8)."""
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""Characters that may end a line, or mean nothing in one."""
_TYPE = re.compile(r"[\w!#$&^.+-]{1,127}/[\w!#$&^.+-]{1,127}", re.ASCII)
_CONTENT_ID = re.compile(r"[!#-;=?-~]{1,200}")
_PLAIN_NAME = re.compile(r"[ !#-\[\]-~]{1,60}")


class HeaderUnfit(ValueError):
    """A header cannot be sent as it is; the text names it, never its value."""


def text_part(kind: str, text: str) -> bytes:
    """
    Return a part of text, with its headers.

    Its lines end in CRLF and have no other CR or LF, so that no server can find the end of the
    message in them.

    Args:
        kind: The subtype, `plain` or `html`.
        text: The text; half of a surrogate pair is replaced.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.endswith("\n"):
        text += "\n"
    if not _UNPLAIN.search(text) and not _LONG_LINE.search(text):
        encoding, body = "7bit", text.encode("ascii")
    else:
        encoding, body = _encoded(text.encode("utf-8", "replace"))
    head = (
        f'Content-Type: text/{kind}; charset="utf-8"\r\n'
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
    )
    return head.encode("ascii") + body.replace(b"\n", b"\r\n")


def joined(kind: str, parts: Sequence[bytes], *, boundary: str) -> bytes:
    """
    Return a multipart of parts, with its headers.

    Args:
        kind: The subtype, such as `alternative`.
        parts: Each with its headers.
        boundary: A text that is in none of the parts.
    """
    head = f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n'
    line = f"\r\n--{boundary}\r\n".encode("ascii")
    body = line.join([b"", *parts])
    return head.encode("ascii") + body + f"\r\n--{boundary}--\r\n".encode("ascii")


def file_part(file: Attachment) -> bytes:
    """
    Return a part with a file, and its headers.

    Raises:
        HeaderUnfit: Its name, type or content id cannot be in a header.
    """
    if not _TYPE.fullmatch(file.type) or CONTROL.search(file.name):
        raise HeaderUnfit("an attachment's name or type cannot be in a header")
    lines = [f"Content-Type: {file.type}", "Content-Transfer-Encoding: base64"]
    kind = "attachment"
    if file.content_id is not None:
        if not _CONTENT_ID.fullmatch(file.content_id):
            raise HeaderUnfit("an attachment's content id cannot be in a header")
        lines.append(f"Content-ID: <{file.content_id}>")
        kind = "inline"
    lines.append(f"Content-Disposition: {kind};\r\n {_filename(file.name)}")
    content = file.content
    body = [content[begin : begin + _BASE64] for begin in range(0, len(content), _BASE64)]
    return "\r\n".join([*lines, "", *body, ""]).encode("ascii")


def _filename(name: str) -> str:
    """Return the parameter with a file's name (RFC 2231 if it is not plain)."""
    if _PLAIN_NAME.fullmatch(name):
        return f'filename="{name}"'
    return f"filename*=utf-8''{quote(name, safe='', errors='replace')}"


def _encoded(raw: bytes) -> tuple[str, bytes]:
    """Return the name of the shorter encoding, and the text in it, with LF at each line's end."""
    others = len(raw) - len(raw.decode("utf-8").encode("ascii", "ignore"))
    if others * _MOSTLY_OTHERS > len(raw):
        return "base64", base64.encodebytes(raw.replace(b"\n", b"\r\n"))
    return "quoted-printable", binascii.b2a_qp(raw, istext=True)
