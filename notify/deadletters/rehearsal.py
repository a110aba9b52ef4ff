"""What a worker would do with a replayed notification before any call; nothing is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from notify.deadletters.assessment import Key, LetterAssessment, LetterPart
from notify.deadletters.eligibility import Eligibility
from notify.delivery import rendered
from notify.errors import TemplateError
from notify.message import Channel, Notification
from notify.policies.caps import Countries
from notify.templating import Templates

_TO_SEND = frozenset({Eligibility.NEVER_SENT, Eligibility.UNKNOWN})


class Rehearsal:
    """Renders and checks notifications as a worker with the same configuration does."""

    def __init__(self, templates: Templates, countries: Mapping[Channel, Countries]) -> None:
        """
        Take what to judge by.

        Args:
            countries: The countries that may be reached, for the channels that this configuration
                has.
        """
        self._templates = templates
        self._countries = countries

    def failing(self, cases: Sequence[LetterAssessment]) -> dict[Key, str]:
        """Return why notifications that could be sent would end without a call, by their keys."""
        asked = [
            part.notification for case in cases for part in case.parts if part.prospect in _TO_SEND
        ]
        return {each.key: why for each in asked if (why := self._refusal(each))}

    def _refusal(self, asked: Notification) -> str | None:
        try:
            rendered(asked, asked.id, templates=self._templates)
        except TemplateError as error:
            return str(error)
        allowed = self._countries.get(asked.channel)
        return allowed.refusal(asked) if allowed else None


def mark_failing(
    cases: Sequence[LetterAssessment], failing: Mapping[Key, str]
) -> list[LetterAssessment]:
    """Return the cases with the notifications that would fail again marked as such."""
    return [_told(case, failing) for case in cases]


def _told(case: LetterAssessment, failing: Mapping[Key, str]) -> LetterAssessment:
    found = [part for part in case.parts if part.notification.key in failing]
    if not found:
        return case
    several = f"{len(found)} of {len(case.parts)}: " if case.parts[1:] else ""
    why = several + failing[found[0].notification.key]
    return replace(case, parts=[_marked(part, failing) for part in case.parts], fails=why)


def _marked(part: LetterPart, failing: Mapping[Key, str]) -> LetterPart:
    if part.prospect not in _TO_SEND or part.notification.key not in failing:
        return part
    return replace(part, prospect=Eligibility.FAILS)
