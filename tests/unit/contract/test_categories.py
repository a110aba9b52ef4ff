"""The field `category`: its form, its lane, its default, and what is refused."""

from __future__ import annotations

import pytest

from notify.contract import CategoryNames, Incoming, Limits, decode, problems
from notify.errors import DecodeError
from notify.message import Channel
from tests.support.malformed import changed

NAMES = CategoryNames(
    lanes={"newsletter": frozenset({"bulk"}), "receipt": frozenset()},
    defaults={"crm": "newsletter", "till": "receipt"},
)
KNOWN = Limits(max_recipients=10, categories=NAMES)


def category(key: str = "email.bulk.shop", limits: Limits = KNOWN, **fields: object) -> str | None:
    """Return the category of a request."""
    first, *_ = decode(Incoming(changed(**fields), key, "application/json"), limits)
    return first.category


def test_a_request_names_its_category() -> None:
    """In a batch it is that of every recipient, also of the copies."""
    assert category(category="newsletter") == "newsletter"
    assert category(category=None) is None
    body = changed(category="receipt", to=["a@example.com", "b@example.com"])
    members = decode(Incoming(body, "email.bulk.shop", "application/json"), KNOWN)
    for member in members:
        again = Incoming(member.body, "email.bulk.shop", "application/json")
        assert decode(again, KNOWN)[0].category == member.category == "receipt"


def test_a_source_has_a_default_where_it_may_use_the_lane() -> None:
    """A default newsletter does not keep the same source from sending a code."""
    assert category("email.bulk.crm") == "newsletter"
    assert category("email.critical.crm") is None
    assert category("email.critical.till") == "receipt"
    assert category("email.bulk.crm", category="receipt") == "receipt"


@pytest.mark.parametrize(
    ("key", "name", "text"),
    [
        ("email.bulk.shop", "newslettr", "no such category, did you mean `newsletter`?"),
        ("email.bulk.shop", "zzz", "configured are: newsletter, receipt"),
        ("email.critical.shop", "newsletter", "may not use the lane critical (use bulk)"),
        ("email.bulk.shop", "News Letter", "not a category's name"),
        ("email.bulk.shop", 7, "must be a string"),
    ],
)
def test_a_wrong_category_is_refused(key: str, name: object, text: str) -> None:
    """The message goes to the dead letters with the reason and the fix."""
    with pytest.raises(DecodeError) as caught:
        category(key, category=name)
    assert "category: " in str(caught.value)
    assert text in str(caught.value)


def test_an_author_may_name_any_category() -> None:
    """A producer's own check does not know the operators' configuration."""
    assert category(limits=Limits(), category="anything") == "anything"
    none = Limits(categories=CategoryNames())
    with pytest.raises(DecodeError, match="none is configured: remove it"):
        category(limits=none, category="anything")


def test_lint_finds_the_same() -> None:
    """Where the configuration is known, before publishing."""
    wrong = changed(category="newslettr")
    (found,) = problems(wrong, channel=Channel.EMAIL, limits=KNOWN)
    assert found.where == "category"
    assert problems(wrong, channel=Channel.EMAIL) == []
    right = changed(category="newsletter")
    assert problems(right, channel=Channel.EMAIL, limits=KNOWN) == []
    (found,) = problems(right, channel=Channel.EMAIL, limits=KNOWN, lane="critical")
    assert "lane critical" in found.why
