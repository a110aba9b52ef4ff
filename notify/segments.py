"""The segments of an SMS, which are what providers count and charge."""

from __future__ import annotations

# GSM 03.38, the default alphabet and its extension table: 3GPP TS 23.038 §6.2.1.
_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")
_GSM_7 = _BASIC | _EXTENDED


def beyond_gsm7(text: str) -> str:
    """Return the characters that make a text need UCS-2, each once, in order."""
    return "".join(dict.fromkeys(each for each in text if each not in _GSM_7))


def counted(text: str) -> str:
    """Return the segments of a text in words, and why it needs Unicode if it does."""
    count, beyond = segments(text), len(beyond_gsm7(text))
    words = f"{count} segment" if count == 1 else f"{count} segments"
    if not beyond:
        return words
    return f"{words} of Unicode: characters that GSM-7 does not have: {beyond}"


def segments(text: str) -> int:
    """
    Return the number of segments: 160 or, joined, 153 characters of GSM-7, else 70 or 67 of UCS-2.

    A character of GSM-7's extension table counts twice, one outside Unicode's first plane counts
    twice in UCS-2, and neither is split. An empty text has one.
    """
    kinds = set(text)
    if kinds <= _BASIC:
        return _plain(len(text), single=160, joined=153)
    if kinds <= _GSM_7:
        return _packed([1 + (each in _EXTENDED) for each in text], single=160, joined=153)
    return _packed([1 + (ord(each) > 0xFFFF) for each in text], single=70, joined=67)


def _plain(length: int, *, single: int, joined: int) -> int:
    return 1 if length <= single else -(-length // joined)


def _packed(widths: list[int], *, single: int, joined: int) -> int:
    if sum(widths) <= single:
        return 1
    count, room = 1, joined
    for width in widths:
        if width > room:
            count, room = count + 1, joined
        room -= width
    return count
