"""Check that a template exists before a request that names it is published."""

from __future__ import annotations

import difflib

from notify.contract import Problem
from notify.message import Channel
from notify.templating.templates import Templates

_HINT = "`notify template ls` lists the templates of this configuration"


class TemplateNames:
    """The templates of this machine's configuration, by name and channel."""

    def __init__(self, templates: Templates) -> None:
        self._channels = {each.name: each.channels for each in templates.names()}

    def problem(self, name: str, channel: Channel | None) -> Problem | None:
        """
        Return the problem of a template's name; None if there is none.

        Args:
            channel: The channel that it must have a version for; None if it is not known.
        """
        known = self._channels.get(name)
        if known is None:
            close = difflib.get_close_matches(name, self._channels, n=1)
            near = f", did you mean `{close[0]}`?" if close else ""
            return Problem("template", f"there is no such template here{near}", _HINT)
        if channel is not None and channel not in known:
            why = f"it has no {channel} version, only {', '.join(known)}"
            return Problem("template", why, "add its files, or choose another")
        return None
