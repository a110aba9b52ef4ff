"""The OpenAPI description: complete, true for every answer, and readable without another host."""

from __future__ import annotations

import json
import re
from typing import Any
from unittest.mock import MagicMock

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance
from schemathesis.specs.openapi.schemas import OpenApiSchema

from notify.contract import FEEDBACK_KEY
from notify.message import Channel
from notify.web.api.models import ProblemView
from notify.web.api.table import operations
from tests.support.api_rig import ApiRig, email, run

TABLE = operations(
    sending=MagicMock(),
    notifications=MagicMock(),
    suppressions=MagicMock(),
    templates=MagicMock(),
    events=MagicMock(),
)


@pytest.fixture(scope="module")
def described(shared_rig: ApiRig) -> dict[str, Any]:
    """The description as a client reads it, without a key."""
    answer = run(shared_rig.client(None).get("/v1/openapi.json"))
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture(scope="module")
def generator(shared_rig: ApiRig) -> OpenApiSchema:
    """The generator of requests, from the description; reading it costs a quarter of a second."""
    return schemathesis.openapi.from_asgi("/v1/openapi.json", shared_rig.app)


@pytest.mark.parametrize("name", [each.name for each in TABLE])
def test_no_request_finds_a_fault_or_an_answer_that_is_not_described(
    shared_rig: ApiRig, generator: OpenApiSchema, name: str
) -> None:
    """Generated from the description: no 5xx, no other status, no document of another form."""
    operation = generator.find_operation_by_id(name)
    headers = {"Authorization": f"Bearer {shared_rig.secrets['shop']}"}

    @given(case=operation.as_strategy())
    @settings(
        max_examples=8,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def check(case: Any) -> None:
        # A schema cannot tell which phone numbers are possible: `docs/contract.md`.
        case.call_and_validate(headers=headers, excluded_checks=[positive_data_acceptance])

    check()


def test_it_is_openapi_3_1_with_every_reference(described: dict[str, Any]) -> None:
    """A generator of clients needs no more."""
    assert described["openapi"] == "3.1.0"
    text = json.dumps(described)
    schemas = described["components"]["schemas"]
    found = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert found <= set(schemas)
    assert "#/$defs/" not in text
    assert found >= {"NotificationEmail", "Feedback", ProblemView.__name__}
    assert FEEDBACK_KEY in text


def test_the_contracts_models_are_in_it(described: dict[str, Any]) -> None:
    """With channel and lane beside them, and without the service's own field."""
    for channel in Channel:
        model = described["components"]["schemas"][f"Notification{str(channel).title()}"]
        assert {"channel", "lane", "to"} <= set(model["required"])
        assert "batch" not in model["properties"]
        assert {"id", "send_at", "metadata"} <= set(model["properties"])


def test_every_example_of_it_is_accepted(rig: ApiRig, described: dict[str, Any]) -> None:
    """Those who copy one begin with success."""
    for channel in Channel:
        model = described["components"]["schemas"][f"Notification{str(channel).title()}"]
        for example in model["examples"]:
            answer = run(rig.shop.post("/v1/notifications", json=example))
            assert answer.status_code == 202, (example, answer.text)
    assert run(rig.shop.post("/v1/notifications", json=email())).status_code == 202


def test_the_page_needs_no_other_host_and_no_script(
    shared_rig: ApiRig, described: dict[str, Any]
) -> None:
    """Its policy forbids both."""
    client = shared_rig.client(None)
    answer = run(client.get("/v1/docs"))
    page = answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert not re.search(r"<script|https?://|//[a-z]|style=|\son\w+=", page)
    assert run(client.get("/v1/docs.css")).headers["content-type"].startswith("text/css")
    for path, methods in described["paths"].items():
        for method in methods:
            assert f"{method.upper()} {path}" in page
    targets = set(re.findall(r'href="#([\w.-]+)"', page))
    assert targets <= set(re.findall(r'id="([\w.-]+)"', page))
