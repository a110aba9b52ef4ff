"""The types of the fields that only push messages have."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from notify.channels.words import MetadataName, refuse

LONGEST_LIFE = 2_419_200
"""Seconds: the four weeks for which push services keep a message at most."""

_TOKEN = re.compile(r"[!-~]{1,4096}")
_SUBSCRIPTION = re.compile(
    r"https://[!-\"$-~]+#"
    r"(?:p256dh=[A-Za-z0-9_-]{87}=?&auth=[A-Za-z0-9_-]{22}={0,2}"
    r"|auth=[A-Za-z0-9_-]{22}={0,2}&p256dh=[A-Za-z0-9_-]{87}=?)"
)
_IMAGE = re.compile(r"https://[!-~]+")
_LINK = re.compile(r"[a-z][a-z0-9+.-]*://[!-~]+")
# Addresses that run or show what is in them, instead of opening something.
_ACTIVE = frozenset({"about", "blob", "data", "file", "javascript", "vbscript", "view-source"})
_SOUND = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TOPIC = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,254}")
_COLLAPSE = re.compile(r"[!-~](?:[ -~]{0,62}[!-~])?")


def is_push_address(text: str) -> bool:
    """Whether a text is a token, an installation id or a browser's subscription."""
    if text.startswith("https://"):
        return len(text) <= 4096 and _SUBSCRIPTION.fullmatch(text) is not None
    return _TOKEN.fullmatch(text) is not None and text != "fid:"


def push_address(text: str) -> str:
    """
    Return an address of a push message.

    It is a device's token as the app received it; `fid:` and a Firebase installation id; or a
    browser's subscription, as its endpoint with `#p256dh=...&auth=...`.
    """
    if is_push_address(text):
        return text
    if text.startswith("https://"):
        hint = "append the keys to the endpoint: #p256dh=...&auth=..., in URL-safe base64"
        raise refuse("not a subscription of a browser", hint)
    raise refuse("not a device token", "send the token as the app received it")


def _image(text: str) -> str:
    if not _IMAGE.fullmatch(text):
        raise refuse("not an https address", "devices load pictures over https only")
    return text


def _link(text: str) -> str:
    if not _LINK.fullmatch(text) or text.partition(":")[0] in _ACTIVE:
        hint = "write https://... or an address with the app's own scheme, such as shop://order/1"
        raise refuse("not an address that a tap can open", hint)
    return text


def _sound(text: str) -> str:
    if not _SOUND.fullmatch(text):
        raise refuse("not the name of a sound", "write default, or the name of a file of the app")
    return text


def _topic(text: str) -> str:
    if not _TOPIC.fullmatch(text):
        raise refuse("not an app's bundle id", "write it as com.example.app")
    return text


def _collapse_key(text: str) -> str:
    if not _COLLAPSE.fullmatch(text):
        raise refuse("not a collapse key", "use up to 64 letters, digits and signs of ASCII")
    return text


PushAddress = Annotated[
    str,
    Field(max_length=4096, json_schema_extra={"pattern": "^[!-~]+$"}, examples=["dGhpcyBpcyBh"]),
    AfterValidator(push_address),
]
ImageAddress = Annotated[
    str,
    Field(max_length=2048, json_schema_extra={"pattern": f"^{_IMAGE.pattern}$"}),
    AfterValidator(_image),
]
LinkAddress = Annotated[
    str,
    Field(max_length=2048, json_schema_extra={"pattern": f"^{_LINK.pattern}$"}),
    AfterValidator(_link),
]
SoundName = Annotated[
    str,
    Field(max_length=64, json_schema_extra={"pattern": f"^{_SOUND.pattern}$"}),
    AfterValidator(_sound),
]
AppTopic = Annotated[
    str,
    Field(max_length=255, json_schema_extra={"pattern": f"^{_TOPIC.pattern}$"}),
    AfterValidator(_topic),
]
CollapseKey = Annotated[
    str,
    Field(max_length=64, json_schema_extra={"pattern": f"^{_COLLAPSE.pattern}$"}),
    AfterValidator(_collapse_key),
]
_AppValue = Annotated[str, Field(max_length=4096)]
AppData = Annotated[dict[MetadataName, _AppValue], Field(max_length=50)]
