"""For people: the effect of an action on what its forecast counts under each word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from notify.deadletters import Eligibility
from notify.message import Status
from notify.plans import words
from notify.store.plans import PlanAction

_REPLAY: Mapping[str, str] = {
    Eligibility.NEVER_SENT: "replayed",
    Eligibility.UNKNOWN: "skipped: they may have been sent",
    Eligibility.ACCEPTED: "refused: the provider has them",
    Eligibility.EXPIRED: "skipped: their time is over",
    Eligibility.IN_FLIGHT: "skipped: they are on their way already",
    Eligibility.REFUSED: "refused: the provider will never accept them",
    Eligibility.WITHDRAWN: "skipped: they were cancelled or suppressed",
    Eligibility.FAILS: "refused: fix the template, or edit the letter",
    Eligibility.REPORT: "published again to their queues",
    Eligibility.UNFIT: "refused: edit the letter",
}
_EFFECTS: Mapping[PlanAction, Mapping[str, str]] = {
    PlanAction.REPLAY: _REPLAY,
    PlanAction.DISCARD: {words.WAITING: "discarded"},
    PlanAction.CANCEL: {
        Status.SCHEDULED: "cancelled",
        Status.QUEUED: "cancelled",
        Status.SENDING: "skipped: a worker is sending them",
    },
    PlanAction.RELEASE: {
        words.IN_FORCE: "released first",
        words.KEPT: "come due at the plan's rate",
    },
    PlanAction.SUPPRESS: {words.RECIPIENTS: "added, unless they are on the list already"},
}
_RESOLVED = {
    "sent": "recorded as sent",
    "not-sent": "recorded as not sent, and retried",
    "resend": "sent again, as possible duplicates",
}
_OTHERS = {
    words.ERASED: "skipped: the recipient was erased",
    words.GONE: "skipped: retention deleted them",
    words.SETTLED: "skipped: they were replayed or discarded",
    words.ENDED: "skipped: they have ended",
}


def effect(action: PlanAction, word: str, options: Mapping[str, Any]) -> str:
    """Return what an action does to what is counted under a word of its forecast."""
    included = action is PlanAction.REPLAY and options.get("include_unknown")
    if included and word == Eligibility.UNKNOWN:
        return "replayed, as possible duplicates"
    if action is PlanAction.RESOLVE and word == Status.UNKNOWN:
        return _RESOLVED[options["finding"]]
    if found := _EFFECTS.get(action, {}).get(word):
        return found
    return _OTHERS.get(word, "skipped: it is too late")
