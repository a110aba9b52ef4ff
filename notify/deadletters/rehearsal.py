"""The checks that a worker makes of a replayed notification before any call; nothing is sent."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from notify.deadletters.assessment import Key, LetterAssessment, LetterPart
from notify.deadletters.eligibility import Eligibility
from notify.errors import TemplateError
from notify.message import Channel, Notification
from notify.policies.caps import Countries

_SENDABLE = frozenset({Eligibility.NEVER_SENT, Eligibility.UNKNOWN})


class Rehearsal:
    """Renders and checks notifications as a worker with the same configuration does."""

    def __init__(
        self,
        render: Callable[[Notification], object],
        countries: Mapping[Channel, Countries],
        *,
        exempt: Collection[str] = (),
    ) -> None:
        """
        Create a rehearsal.

        Args:
            render: Renders a notification as a worker does, or raises `TemplateError`.
            countries: The countries that may be reached, for the channels that this configuration
                has.
            exempt: The categories that only a binding suppression stops.
        """
        self._render = render
        self._countries = countries
        self.exempt = frozenset(exempt)

    def failures(self, assessments: Sequence[LetterAssessment]) -> dict[Key, str]:
        """Return, by key, why notifications that could be sent would end without a call."""
        asked = sendable(assessments)
        return {each.key: why for each in asked if (why := self._refusal(each))}

    def _refusal(self, asked: Notification) -> str | None:
        try:
            self._render(asked)
        except TemplateError as error:
            return str(error)
        allowed = self._countries.get(asked.channel)
        return allowed.refusal(asked) if allowed else None


def sendable(assessments: Sequence[LetterAssessment]) -> list[Notification]:
    """Return the notifications that could be sent."""
    return [
        part.notification
        for each in assessments
        for part in each.parts
        if part.eligibility in _SENDABLE
    ]


def mark_failing(
    assessments: Sequence[LetterAssessment], failures: Mapping[Key, str]
) -> list[LetterAssessment]:
    """Return the assessments, with the notifications marked that would fail again."""
    return [_with_failures(each, failures) for each in assessments]


def _with_failures(assessment: LetterAssessment, failures: Mapping[Key, str]) -> LetterAssessment:
    parts = assessment.parts
    failing = [part for part in parts if part.notification.key in failures]
    if not failing:
        return assessment
    several = f"{len(failing)} of {len(parts)}: " if parts[1:] else ""
    why = several + failures[failing[0].notification.key]
    return replace(assessment, parts=[_marked(part, failures) for part in parts], fails=why)


def _marked(part: LetterPart, failures: Mapping[Key, str]) -> LetterPart:
    if part.eligibility not in _SENDABLE or part.notification.key not in failures:
        return part
    return replace(part, eligibility=Eligibility.FAILS)
