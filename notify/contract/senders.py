"""The senders that a request may name, for which sources and channels."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field

from notify.contract.problem import Problem
from notify.message import Channel


@dataclass(frozen=True, slots=True)
class SenderNames:
    """
    The operators' senders, as far as a request is checked against them.

    Attributes:
        sources: By sender, the sources that may use it; all of them if empty.
        channels: By sender, the channels on which it can send.
    """

    sources: Mapping[str, frozenset[str]] = field(default_factory=dict)
    channels: Mapping[str, frozenset[Channel]] = field(default_factory=dict)

    def problem(self, name: str, *, source: str | None, channel: Channel) -> Problem | None:
        """
        Return the problem of a request that names a sender; None if there is none.

        A sender that the source may not use is treated as one that does not exist.

        Args:
            source: The request's source; None if it is not known.
        """
        usable = [each for each in self.sources if self._allows(each, source, channel)]
        if name in usable:
            return None
        if name in self.sources and self._allows(name, source, None):
            return Problem("sender", f"this sender cannot send {channel}", _listed(usable))
        close = difflib.get_close_matches(name, usable, n=1)
        near = f", did you mean `{close[0]}`?" if close else ""
        return Problem("sender", f"your source has no such sender{near}", _listed(usable))

    def _allows(self, name: str, source: str | None, channel: Channel | None) -> bool:
        sources = self.sources[name]
        allowed = not sources or source is None or source in sources
        return allowed and (channel is None or channel in self.channels[name])


def _listed(names: list[str]) -> str:
    return f"yours are: {', '.join(sorted(names))}" if names else "none is configured: remove it"
