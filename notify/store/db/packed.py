"""
Parameters of the hot statements in PostgreSQL's binary format.

The driver would look at each array's values to find a type, and another type is another prepared
statement. Here each column has one type, which the statement's cast names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from psycopg import pq
from psycopg.adapt import Dumper


class Packed(bytes):
    """A parameter in PostgreSQL's binary format; write it as `%(name)b::type`."""

    __slots__ = ()


class PackedDumper(Dumper):
    """Passes packed parameters on as they are, without a type of their own."""

    format = pq.Format.BINARY

    def dump(self, obj: Packed) -> bytes:
        """Return the bytes to send."""
        return obj


class _Element(NamedTuple):
    oid: int
    pack: Callable[[Any], bytes]
    """Returns a value with its length before it."""


_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NULL = b"\xff\xff\xff\xff"


def _bytes(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value


def _int(value: int) -> bytes:
    return b"\0\0\0\4" + value.to_bytes(4, "big", signed=True)


def _bigint(value: int) -> bytes:
    return b"\0\0\0\x08" + value.to_bytes(8, "big", signed=True)


def _time(value: datetime) -> bytes:
    return _bigint((value - _EPOCH) // _MICROSECOND)


# The types' numbers are fixed: https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_type.dat
_ELEMENTS = {
    "bool": _Element(16, lambda value: b"\0\0\0\1\1" if value else b"\0\0\0\1\0"),
    "bytea": _Element(17, _bytes),
    "bigint": _Element(20, _bigint),
    "int": _Element(23, _int),
    "text": _Element(25, lambda value: _bytes(value.encode())),
    "timestamptz": _Element(1184, _time),
    "uuid": _Element(2950, lambda value: b"\0\0\0\x10" + value.bytes),
}


def packed_time(value: datetime) -> Packed:
    """Return a time as a `timestamptz`."""
    return Packed(_time(value)[4:])


def packed_array(type_: str, values: Sequence[object]) -> Packed:
    """
    Return values of one type as an array; None is null.

    Raises:
        UnicodeEncodeError: A text is not Unicode.
        OverflowError: A number is too large for its type.
    """
    oid, pack = _ELEMENTS[type_]
    size = len(values)
    # Dimensions, whether there are nulls, the element's type; then the length and first index.
    head = [1 if size else 0, 1, oid, *([size, 1] if size else [])]
    parts = [number.to_bytes(4, "big") for number in head]
    if size > 1 and values.count(values[0]) == size:
        # A batch's recipients have most values in common.
        parts += [_NULL if values[0] is None else pack(values[0])] * size
    else:
        parts += [_NULL if value is None else pack(value) for value in values]
    return Packed(b"".join(parts))
