"""The buttons on a mail's page: what its recipient may do with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from notify.message import Channel
from notify.sandbox.exchange import HttpAnswer, HttpRequest, as_json
from notify.sandbox.inbox import Inbox, Message
from notify.sandbox.posting import BOUNCE, COMPLAINT, ONE_CLICK, Poster, Step

_STEPS: Mapping[str, Step] = {"unsubscribe": ONE_CLICK, "bounce": BOUNCE, "complain": COMPLAINT}


def buttons(message: Message, poster: Poster | None) -> list[str]:
    """Return the words of a mail's buttons: `unsubscribe` if its headers offer it."""
    if poster is None or message.channel is not Channel.EMAIL:
        return []
    return [
        word
        for word in _STEPS
        if word != "unsubscribe" or poster.composer.unsubscribe_url(message) is not None
    ]


@dataclass(frozen=True, slots=True)
class Actions:
    """
    Plays a recipient when a button is pressed.

    Args:
        inbox: The accepted messages.
        poster: Posts the events; None if it posts none.
    """

    inbox: Inbox
    poster: Poster | None

    def post(self, request: HttpRequest) -> HttpAnswer:
        """POST: play `event` of a message, and return to its page."""
        if not _is_own(request):
            return as_json(403, {"error": "another page's form is not accepted"})
        message = self.inbox.get(request.groups["message"])
        if message is None:
            return as_json(404, {"error": "this message is no longer in the inbox"})
        word = request.form.get("event", "")
        if self.poster is None or word not in buttons(message, self.poster):
            return as_json(400, {"error": "this message has no such event"})
        self.poster.play(message, _STEPS[word])
        return HttpAnswer(303, headers={"Location": f"/messages/{message.id}"})


def _is_own(request: HttpRequest) -> bool:
    """Whether no other site's page sent the form: browsers name the page's origin."""
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host", "")
