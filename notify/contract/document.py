"""
Parse bytes as a JSON object, and refuse anything that two JSON libraries may read differently.

Refused: duplicate keys, NaN and Infinity, numbers that do not fit 64 bits, NUL and lone surrogates,
a byte order mark, and nesting deeper than 32.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import Any

from notify.contract.problem import Problem, RequestInvalid

MAX_DEPTH = 32

# Escapes of NUL or of half a surrogate pair.
_SUSPECT_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_UNSAFE = re.compile("[\x00\ud800-\udfff]")
_BOM = b"\xef\xbb\xbf"


class _Unreadable(ValueError):
    """JSON by its grammar, but ambiguous."""

    def __init__(self, why: str, hint: str, *where: str) -> None:
        self.problem = Problem.at(where, why, hint)
        super().__init__(self.problem.for_author)


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """
    Return the object of its pairs, as a hook of `json`.

    Raises:
        ValueError: A key occurs twice, so that two readers could read two values.
    """
    fields = dict(pairs)
    if len(fields) != len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise _Unreadable("occurs twice in one object", "keep one", twice)
    return fields


def _no_constant(_text: str) -> Any:
    raise _Unreadable("NaN and Infinity are not JSON", "write null or a string")


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _Unreadable("a number is too large for a 64-bit float", "write it as a string")
    return number


def _integer(text: str) -> int:
    # 20 characters are enough for every 64-bit integer; do not convert a longer text.
    if len(text) > 20 or not -(2**63) <= (number := int(text)) < 2**64:
        raise _Unreadable("an integer does not fit 64 bits", "write it as a string")
    return number


_DECODER = json.JSONDecoder(
    object_pairs_hook=unique,
    parse_constant=_no_constant,
    parse_float=_float,
    parse_int=_integer,
)


def parse(body: bytes) -> dict[str, Any]:
    """
    Return `body` as one JSON object.

    Raises:
        RequestInvalid: With the problem that stopped the parser.
    """
    text = _text(body)
    document = _decoded(text)
    if not isinstance(document, dict):
        raise RequestInvalid([Problem("", "the body must be a JSON object", "wrap it in { }")])
    _inspect_all([document], text)
    return document


def parse_array(body: bytes) -> list[dict[str, Any]]:
    """
    Return `body` as one JSON array of objects, each read as `parse` reads one.

    Raises:
        RequestInvalid: With the problem that stopped the parser.
    """
    text = _text(body)
    documents = _decoded(text)
    if not isinstance(documents, list):
        raise RequestInvalid([Problem("", "the body must be a JSON array", "wrap it in [ ]")])
    for position, document in enumerate(documents):
        if not isinstance(document, dict):
            hint = "write each request in { }"
            raise RequestInvalid([Problem(f"[{position}]", "must be a JSON object", hint)])
    _inspect_all(documents, text)
    return documents


def _decoded(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise RequestInvalid([_broken(error)]) from None
    except _Unreadable as error:
        raise RequestInvalid([error.problem]) from None
    except RecursionError:
        raise RequestInvalid([_too_deep()]) from None


def _inspect_all(documents: list[dict[str, Any]], text: str) -> None:
    """Inspect the documents of a text, unless it shows that none can be refused."""
    suspect = _SUSPECT_ESCAPE.search(text) is not None
    if suspect or text.count("{") + text.count("[") > MAX_DEPTH:
        for document in documents:
            _inspect(document, suspect=suspect)


def _text(body: bytes) -> str:
    if body.startswith(_BOM):
        raise RequestInvalid(
            [Problem("", "the body begins with a byte order mark", "save without BOM")]
        )
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        why = f"the body is not UTF-8 at byte {error.start}"
        raise RequestInvalid([Problem("", why, "encode the JSON as UTF-8")]) from None


def _broken(error: json.JSONDecodeError) -> Problem:
    # The parser's message names what it expected, never a value.
    what = error.msg[:1].lower() + error.msg[1:].removesuffix(": ")
    if not error.doc.strip():
        return Problem("", "the body is empty", "send a JSON object")
    return Problem("", f"not JSON: {what}", "correct the syntax there", error.lineno, error.colno)


def _too_deep(*where: str | int) -> Problem:
    return Problem.at(where, f"nested deeper than {MAX_DEPTH}", "flatten the data")


def _inspect(
    value: dict[str, Any] | list[Any], parts: tuple[str | int, ...] = (), *, suspect: bool
) -> None:
    """Refuse depth, and NUL and lone surrogates if the text has an escape that may be one."""
    if len(parts) >= MAX_DEPTH:
        raise RequestInvalid([_too_deep(*parts[:3])])
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if suspect and (_unsafe(key) or _unsafe(inner)):
            why = "contains NUL or half of a surrogate pair"
            raise RequestInvalid([Problem.at([*parts, key], why, "remove it")])
        if isinstance(inner, (dict, list)):
            _inspect(inner, (*parts, key), suspect=suspect)


def _unsafe(value: Any) -> bool:
    return isinstance(value, str) and _UNSAFE.search(value) is not None
