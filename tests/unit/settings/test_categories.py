"""The options of categories: what is refused, and what is doubted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from notify.keyring import HASH, NAME, new_key
from notify.message import Channel, Receipt, Rendered
from notify.settings.checks.report import ConfigReport, check

KEYS = f"k1:{new_key()} {HASH}:{new_key()}"
Look = Callable[..., ConfigReport]


class Tracking:
    """A provider whose vendor may add its own unsubscribe links."""

    channel: ClassVar[Channel] = Channel.EMAIL

    def __init__(self, *, sender: str = "", tracking: bool = False) -> None:
        raise AssertionError(f"a check builds no provider, yet got {sender}, {tracking}")

    @staticmethod
    def own_unsubscribe(options: Mapping[str, Any], /) -> Iterator[str]:
        """Yield the option."""
        yield from (name for name in ("tracking",) if options.get(name))

    def send(self, message: Rendered, /) -> Receipt:
        """Refuse every message."""
        raise NotImplementedError

    def close(self) -> None:
        """Nothing to close."""


GOOD = f"""
[receipts]
public_url = "https://notify.example.com"
[channels.email]
providers = ["acme"]
[providers.acme]
use = "{__name__}:Tracking"
options = {{ sender = "no-reply@example.com", tracking = false }}
[categories.newsletter]
subscription = true
sender = "news@example.com"
sender_name = "News"
lanes = ["bulk"]
default_for = ["crm"]
[categories.code]
critical = true
"""


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """Check a configuration text, with a keyring."""

    def _look(text: str, keys: str = KEYS) -> ConfigReport:
        file = tmp_path / "notify.toml"
        file.write_text(text, "utf-8")
        return check(file, environ={NAME: keys})

    return _look


def test_a_subscription_with_all_it_needs_is_valid(look: Look) -> None:
    """Neither a mistake nor a warning."""
    report = look(GOOD)
    assert (report.mistakes, report.warnings) == ([], [])
    assert report.settings is not None
    assert report.settings.categories["newsletter"].lanes == ["bulk"]
    assert report.settings.categories["code"].critical


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (
            'public_url = "https://notify.example.com"',
            "",
            "categories.newsletter.subscription: needs receipts.public_url, with which unsubscribe"
            " links begin; set it (line 10)",
        ),
        (
            "tracking = false",
            "tracking = true",
            "providers.acme.options.tracking: its vendor would add its own unsubscribe links beside"
            " those of the category newsletter, and exactly one party may; remove it (line 8)",
        ),
        (
            'lanes = ["bulk"]',
            'lanes = ["bluk"]',
            "categories.newsletter.lanes: number 1 is not in [lanes]; did you mean bulk? (line 13)",
        ),
        (
            "critical = true",
            'default_for = ["crm"]',
            "categories.code.default_for: crm already has the default newsletter; keep one of them"
            " (line 16)",
        ),
        (
            '"news@example.com"',
            '"News <news@example.com>"',
            "categories.newsletter.sender: must be a name in [senders], or a bare address such as"
            " news@example.com; a name to show goes into sender_name (line 11)",
        ),
        (
            '"News"',
            '"News\\nBcc: x"',
            "categories.newsletter.sender_name: must be one plain line, without control characters"
            " or overrides (line 12)",
        ),
        (
            "critical = true",
            'list_id = "<a b>"',
            "categories.code.list_id: must have the form of a domain of yours, such as"
            " newsletter.example.com (RFC 2919) (line 16)",
        ),
        (
            "critical = true",
            'sender_name = "Codes"',
            "categories.code.sender_name: has no effect without `sender`; add it, or remove this"
            " (line 16)",
        ),
        (
            "critical = true",
            "subscripton = true",
            "categories.code.subscripton: unknown option; did you mean subscription? (line 16)",
        ),
    ],
)
def test_each_mistake_has_its_key_and_fix(look: Look, old: str, new: str, line: str) -> None:
    """One mistake, one line."""
    assert old in GOOD
    assert [str(each) for each in look(GOOD.replace(old, new)).mistakes] == [line]


def test_a_subscription_without_a_keyring_is_refused(look: Look) -> None:
    """Its links could not be made."""
    (mistake,) = look(GOOD, keys="").mistakes
    assert str(mistake).startswith("categories.newsletter.subscription: needs the credential")


@pytest.mark.parametrize(
    ("old", "new", "doubt"),
    [
        ("https://", "http://", "receipts.public_url: is not https"),
        ('sender = "news@example.com"\nsender_name = "News"\n', "", "sender: is not set"),
        ("news@example.com", "No-Reply@example.com", "is also providers.acme.options.sender"),
        ("critical = true", 'sender = "news@example.com"', "is also categories.code.sender"),
    ],
)
def test_what_mailbox_providers_object_to_is_a_warning(
    look: Look, old: str, new: str, doubt: str
) -> None:
    """A worker starts; `notify config check` and the doctor warn."""
    assert old in GOOD
    report = look(GOOD.replace(old, new))
    assert report.mistakes == []
    assert doubt in str(report.warnings[0])


@pytest.mark.parametrize("url", ["https://a.example/x>y", "https://a.example/x y", "https://ä.de"])
def test_a_public_url_is_safe_in_a_header(look: Look, url: str) -> None:
    """It begins the link between the angle brackets of List-Unsubscribe."""
    (mistake,) = look(GOOD.replace("https://notify.example.com", url)).mistakes
    assert str(mistake).startswith("receipts.public_url: contains characters")
