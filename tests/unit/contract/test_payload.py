"""Push: what the contract takes fits FCM, and what FCM refuses whole is refused at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from notify.channels.push import LARGEST, payload_size
from notify.cli import notify
from notify.contract import problems
from notify.errors import PermanentError
from notify.message import Channel
from notify.provider import Provider
from notify.sandbox import Sandbox
from tests.support.examples import examples
from tests.unit.providers.dialects import FCM, MESSAGE

RESERVED = ["from", "message_type", "gcm", "gcm.x", "gcm_id", "google", "google.c.a.e", "googled"]
ALLOWED = ["From", "from_shop", "order", "message-type", "a.gcm", "collapse_key", "goggle"]
BARE = payload_size("t", "", {})


@pytest.fixture(scope="module")
def fcm() -> Iterator[Provider]:
    """A provider whose vendor the sandbox plays."""
    with Sandbox.start(port=0) as sandbox, closing(FCM.make(base_url=sandbox.url)) as provider:
        yield provider


def body(**fields: Any) -> bytes:
    """A push request with these fields."""
    request = {"id": str(uuid4()), "to": "token-deliver-1", "title": "t", "body": "b", **fields}
    return json.dumps({k: v for k, v in request.items() if v is not None}).encode()


def told(**fields: Any) -> list[str]:
    """Return the problems of a push request."""
    return [str(problem) for problem in problems(body(**fields), channel=Channel.PUSH)]


def taken(fcm: Provider, title: str, text: str, data: dict[str, str]) -> bool:
    """Whether FCM takes such a message."""
    try:
        fcm.send(replace(MESSAGE, to="token-deliver-1", subject=title, text=text, data=data))
    except PermanentError:
        return False
    return True


@pytest.mark.parametrize("name", RESERVED)
def test_a_name_that_fcm_reserves_is_refused(fcm: Provider, name: str) -> None:
    """FCM refuses the whole message for it; the producer learns it before anything is sent."""
    (problem,) = told(metadata={name: "shop"})
    assert problem.startswith((f"metadata.{name}: a name that", "metadata.*: a name that"))
    assert told(template="welcome", title=None, body=None, metadata={name: "shop"}) == [problem]
    assert not taken(fcm, "t", "b", {name: "shop"})
    sms = {"id": str(uuid4()), "to": "+4915112345678", "text": "b", "metadata": {name: "x"}}
    assert problems(json.dumps(sms).encode(), channel=Channel.SMS) == []


@pytest.mark.parametrize("name", ["notify_id", "attempt_id"])
def test_a_name_of_our_own_ids_is_refused(name: str) -> None:
    """The app would find our id in its place: the producer's value was replaced silently."""
    (problem,) = told(metadata={name: "order-17"})
    assert problem.startswith("metadata.*: a name that the service uses (rename it")
    assert told(template="welcome", title=None, body=None, metadata={name: "x"}) == [problem]
    sms = {"id": str(uuid4()), "to": "+4915112345678", "text": "b", "metadata": {name: "x"}}
    assert problems(json.dumps(sms).encode(), channel=Channel.SMS) == []


@pytest.mark.parametrize("name", ALLOWED)
def test_a_name_that_is_only_like_it_is_taken(fcm: Provider, name: str) -> None:
    """The list is no longer than FCM's."""
    assert told(metadata={name: "shop"}) == []
    assert taken(fcm, "t", "b", {name: "shop"})


@pytest.mark.parametrize("letter", ["x", "é", "語", "😀", '"', "\n"])
def test_the_limit_is_in_bytes_of_everything_together(fcm: Provider, letter: str) -> None:
    """One letter more and FCM refuses it: the contract and the sandbox draw the same line."""
    each = payload_size("t", letter, {}) - BARE
    fits = (LARGEST - BARE) // each
    assert told(body=letter * fits) == []
    assert taken(fcm, "t", letter * fits, {})
    (problem,) = told(body=letter * (fits + 1))
    assert problem.startswith("body: ")
    assert "bytes with title and metadata; FCM accepts 4096" in problem
    assert not taken(fcm, "t", letter * (fits + 1), {})


def test_metadata_counts_with_its_names(fcm: Provider) -> None:
    """A template's words are known later; what the labels take alone is known now."""
    labels = {f"label-{number:02}-" + "x" * 50: "y" * 200 for number in range(20)}
    assert told(metadata=labels)[0].startswith("body: ")
    (problem,) = told(template="welcome", title=None, body=None, metadata=labels)
    assert problem.startswith("metadata: ")
    assert "bytes alone; FCM accepts 4096" in problem
    assert not taken(fcm, "", "", labels)


names = st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=64)
values = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=256)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=900)


@given(body=texts, times=st.integers(1, 4), metadata=st.dictionaries(names, values, max_size=20))
@settings(max_examples=examples(60), deadline=None)
def test_what_the_contract_takes_fcm_takes(
    fcm: Provider, body: str, times: int, metadata: dict[str, str]
) -> None:
    """Whatever its letters, names and lengths."""
    if told(body=body * times, metadata=metadata) == []:
        assert taken(fcm, "t", body * times, metadata)


def test_lint_tells_what_fcm_would_refuse() -> None:
    """Before anything is published."""
    request = body(body="😀" * 1100, metadata={"from": "shop"})
    result = CliRunner().invoke(notify, ["lint", "--channel", "push", "-"], input=request)
    assert result.exit_code == 1
    assert "metadata.from  a name that FCM reserves" in result.output
    assert "FCM accepts 4096" in result.output
