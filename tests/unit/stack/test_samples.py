"""The sample files: what they say and what is published."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID

import pytest

from notify.errors import ConfigError
from notify.message import Status
from notify.stack.samples import Sample, SampleOutcome, load

SHIPPED = Path(__file__).parents[3] / "examples" / "samples"
ID = UUID(int=7)


def test_the_shipped_samples_cover_what_the_demonstration_promises() -> None:
    """Each channel and lane, a second language, a batch, and every kind of ending."""
    samples = load(SHIPPED)
    words = [sample.routing_key.split(".") for sample in samples]
    assert {word[0] for word in words} >= {"email", "sms", "push", "fax"}
    assert {word[1] for word in words} >= {"critical", "normal", "bulk"}
    assert {(sample.publish or {}).get("locale") for sample in samples} >= {"en", "de"}
    assert any(
        sample.batch and sample.expect.counts == {Status.DELIVERED: 100} for sample in samples
    )
    endings = {(sample.expect.status, sample.expect.dead) for sample in samples}
    assert endings >= {
        (Status.SENT, False),
        (Status.DELIVERED, False),
        (Status.BOUNCED, False),
        (Status.COMPLAINED, False),
        (Status.SUPPRESSED, False),
        (Status.REJECTED, False),
        (Status.FAILED, True),
        (Status.EXPIRED, True),
        (None, True),
    }


def test_each_run_publishes_under_its_own_id() -> None:
    """The same samples can be sent again to the same store."""
    sample = Sample(
        name="one",
        about="",
        routing_key="email.normal.shop",
        publish={"id": "old", "to": "ü@example.org"},
        expect=SampleOutcome(status=Status.SENT),
    )
    assert json.loads(sample.body(ID)) == {"id": str(ID), "to": "ü@example.org"}


def test_a_raw_body_is_published_as_it_is() -> None:
    """A body that is not JSON stays unchanged."""
    sample = Sample(
        name="raw", about="", routing_key="a.b.c", raw="not json", expect=SampleOutcome(dead=True)
    )
    assert sample.body(ID) == b"not json"
    assert not sample.batch


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("not json", "is not a sample"),
        ("[]", "is not a sample"),
        ('{"about": "a", "about": "b", "routing_key": "a"}', "occurs twice"),
        ('{"about": "", "routing_key": "a", "expect": {}}', "either `publish` or `raw`"),
        ('{"about": "", "routing_key": "a", "raw": "", "expect": {"satus": "sent"}}', "satus"),
    ],
)
def test_a_file_that_is_no_sample_is_named_with_the_reason(
    tmp_path: Path, text: str, reason: str
) -> None:
    """Teams write their own samples; a slip must be easy to find."""
    (tmp_path / "mine.json").write_text(text)
    with pytest.raises(ConfigError, match=reason) as caught:
        load(tmp_path)
    assert "mine.json" in str(caught.value)


def test_a_sample_is_after_another_of_its_folder(tmp_path: Path) -> None:
    """One that would wait for ever is found before anything starts."""
    text = {"about": "", "routing_key": "email.normal.shop", "publish": {}, "expect": {}}
    (tmp_path / "first.json").write_text(json.dumps(text))
    (tmp_path / "second.json").write_text(json.dumps({**text, "after": "first"}))
    assert [sample.after for sample in load(tmp_path)] == [None, "first"]
    (tmp_path / "third.json").write_text(json.dumps({**text, "after": "second"}))
    with pytest.raises(ConfigError, match=r"third\.json is after second, which is not a sample"):
        load(tmp_path)


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    """Zero samples must not pass as success."""
    with pytest.raises(ConfigError, match="no sample"):
        load(tmp_path)
