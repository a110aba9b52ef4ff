"""Links in messages: check intended ones, and break those in names that strangers chose."""

from __future__ import annotations

import re
import unicodedata
from typing import Any
from urllib.parse import unquote

from notify.templating.refused import ValueRefused

# RFC 3986, appendix A, with the letters of all scripts as in RFC 3987. A user name before
# the host is not allowed: it can look like the host.
_CHARACTER = r"A-Za-z0-9._~!$&'()*+,;=\x80-\U0010ffff-"
_ESCAPE = "%[0-9A-Fa-f]{2}"


def _run(also: str) -> str:
    """Return a pattern of any number of characters, which never gives one back."""
    return rf"(?:[{also}{_CHARACTER}]++|{_ESCAPE})*+"


_ADDRESS = re.compile(
    rf"(?i:https)://(?P<host>\[[0-9A-Fa-f:.]{{2,45}}\]|(?=[^:/?#]){_run('')})(?::(?P<port>[0-9]{{0,5}}))?"
    rf"(?P<rest>(?:/{_run(':@/')})?(?:\?{_run(':@/?')})?(?:#{_run(':@/?')})?)"
)
# Controls, separators, lone surrogates, and formats such as bidirectional overrides (RFC 3987,
# 4.1). Persian and the scripts of India spell words with the two joiners, U+200C and U+200D.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"})
# Letters and marks without a visible form: Unicode's Default_Ignorable_Code_Point outside of Cf.
_FORMLESS = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\ufff0-\ufff8\U000e0000-\U000e0fff]"
)
_LAST_PORT = 65_535
_JOINERS = "\u200c\u200d"
# Browsers also accept their wide forms in a host, such as U+FF20 for @.
_DELIMITERS = frozenset("/?#@:\\")

# A dot or an @ between two parts of a name, and the characters that are read as one (UTS 46). No
# part begins with ASCII punctuation, except hyphen, underscore and the bracket of an IP address.
_JOINT = re.compile(
    r"(?<=\S)[.@\u2024\u3002\ufe52\ufe6b\uff0e\uff20\uff61](?=[^\s!-,./:-@\\\]^`{-~])"
)
# mailto:, tel: and the like; a time such as 12:30 has no letter before its colon.
_SCHEME = re.compile(r"(?<=[A-Za-z]):(?=[\w/\\+?%\[])")
# Without any of these a text has nothing that `unlinked` breaks.
_BREAKABLE = re.compile(r"[\\:.@\u2024\u3002\ufe52\ufe6b\uff0e\uff20\uff61]")


def link(value: Any) -> str:
    """Return an https address unchanged.

    Raises:
        ValueRefused: It is not one by RFC 3986, has a user name, or contains invisible characters.
    """
    match = _ADDRESS.fullmatch(value) if isinstance(value, str) else None
    if (
        match is None
        or int(match["port"] or 0) > _LAST_PORT
        or not _plain(*match.group("host", "rest"))
    ):
        raise ValueRefused(
            "link needs an https:// address by RFC 3986, without a user name or invisible"
            " characters; percent-encode other characters"
        )
    return match[0]


def unlinked(value: Any) -> str:
    """Return a text without anything that a mail client turns into a link, for strangers' names.

    Addresses with and without a scheme, mail addresses and paths such as `\\\\host` get a space,
    in any script; telephone numbers are unchanged.
    """
    if not isinstance(value, str):
        raise ValueRefused("unlinked needs text")
    if type(value) is str and _BREAKABLE.search(value) is None:
        return value
    text = re.sub(r"\\(?=\\)", r"\\ ", value.replace("://", ": "))
    return _JOINT.sub(r"\g<0> ", _SCHEME.sub(": ", text))


def _plain(host: str, rest: str) -> bool:
    if host.isascii() and rest.isascii() and "%" not in host:
        return True  # the pattern allows only visible characters of ASCII
    host = host if host.startswith("[") else unquote(host)  # as browsers read it
    if _FORMLESS.search(host + rest) or any(
        unicodedata.category(each) in _UNSEEN for each in host + rest if each not in _JOINERS
    ):
        return False
    if any(each in host for each in _JOINERS):
        return False
    if host.startswith("["):
        return True
    return not _DELIMITERS.intersection(unicodedata.normalize("NFKC", host))
