"""Reusable pages of actions on many objects: the confirmation, and the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from notify.web.console.routing import View, Visit


@dataclass(frozen=True, slots=True)
class NotDone:
    """An object that an action skipped or refused, and why."""

    what: str
    why: str
    link: str = ""
    """The path of the object's page, if it has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkResult:
    """The result of an action: how many are done, and what is not, with reasons."""

    done: int
    skipped: Sequence[NotDone] = ()
    """Nothing to do for these, such as a letter that was replayed before."""
    refused: Sequence[NotDone] = ()
    """Not allowed for these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkQuestion:
    """
    The effect of an action, to be confirmed by typing the count.

    Attributes:
        action: In the imperative, such as `Replay 3 dead letters`; the title, and the button.
        count: The objects that it would change.
        explain: Sentences on the consequences.
        skipped: Objects that it would skip, with reasons.
        needs_reason: Whether the page asks for the reason.
    """

    action: str
    count: int
    explain: Sequence[str] = ()
    skipped: Sequence[NotDone] = field(default=())
    needs_reason: bool = True


def confirmed(visit: Visit, count: int) -> bool:
    """Return whether the user typed the count that the action has now."""
    return visit.form.get("confirm_count") == str(count)


def confirmation(visit: Visit, question: BulkQuestion) -> View:
    """
    Return the page that asks for the count, and posts the same form again.

    If the count has changed since it was typed, the page says so and asks again.
    """
    kept = [each for each in visit.form.pairs if each[0] not in ("confirm_count", "reason")]
    typed = visit.form.get("confirm_count")
    values = {
        "question": question,
        "fields": kept,
        "typed": typed,
        "reason": visit.form.get("reason"),
    }
    return View("confirm.html.j2", title=question.action, values=values, status=200)


def result(visit: Visit, title: str, found: BulkResult, *, back: str) -> View:
    """Return the page of a result; *back* is the path to continue with."""
    values = {"found": found, "back": back, "reason": visit.form.get("reason")}
    return View("result.html.j2", title=title, values=values)
