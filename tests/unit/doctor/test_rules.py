"""The doctor's local checks: versions, libraries, disk space."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from notify.doctor import Severity, broker, host, policies, record
from notify.message import Channel
from notify.policies.breaker import Circuit, CircuitState, Mode
from notify.policies.holds import Hold
from notify.policies.ratelimit import LimitState
from notify.settings import ContractSettings, Settings, StoreSettings
from notify.status.overrides import OverridesSnapshot
from notify.store.flow.limits import LimitRow
from tests.support.tables import each_of

SETTINGS = Settings()
ROOMY = Settings(contract=ContractSettings(max_body_bytes=64 << 20))


@each_of(
    ("product", "version", "settings", "verdicts", "words"),
    [
        ("RabbitMQ", "3.10.8", SETTINGS, ["warn", "ok"], "past its end of life"),
        ("RabbitMQ", "3.13.7", ROOMY, ["warn", "ok"], "RabbitMQ 3.13.7 is past its end of life"),
        ("RabbitMQ", "4.3.5", SETTINGS, ["ok"], "by default it limits deliveries to 20"),
        ("RabbitMQ", "4.0.1", ROOMY, ["warn", "ok"], "accepts 16 MiB"),
        ("RabbitMQ", "3.9.29", SETTINGS, ["fail"], "no at-least-once dead-lettering"),
        ("RabbitMQ", "4", SETTINGS, ["fail"], "it reports RabbitMQ 4"),
        ("Other", "3.13.0", SETTINGS, ["fail"], "quorum queues"),
    ],
)
def test_an_unsupported_broker_is_reported(
    product: str, version: str, settings: Settings, verdicts: list[str], words: str
) -> None:
    """By the known faults of each version."""
    found = list(broker.version({"product": product, "version": version}, settings))
    assert [each.verdict for each in found] == verdicts
    assert words in found[0].found


@pytest.mark.parametrize(
    ("version", "usual"), [("3.10.8", "does not limit deliveries"), ("4.0.5", "to 20")]
)
def test_the_default_delivery_limit_is_reported(version: str, usual: str) -> None:
    """Operators who add a queue by hand need to know it."""
    *_, found = broker.version({"product": "RabbitMQ", "version": version}, SETTINGS)
    assert usual in found.found


@each_of(
    ("library", "version", "good"),
    [
        ("amqp", "5.4.2", True),
        ("amqp", "5.4.10", True),
        ("amqp", "5.3.1", False),
        ("celery", "5.6.3", False),
        ("celery", "5.8.0", False),
        ("kombu", "5.7.0rc1", True),
    ],
)
def test_a_library_of_another_release_is_reported(library: str, version: str, good: bool) -> None:
    """Their older releases hang, crawl or lose."""
    releases = {"amqp": "5.4.2", "celery": "5.7.0", "kombu": "5.7.0", library: version}
    (found,) = host.driver(SETTINGS, version=releases.__getitem__)
    assert (found.verdict is Severity.OK) is good
    assert good or f"{library} {version} is installed" in found.found
    assert good or str(found.fix).startswith(f"pip install '{library}~=")


@pytest.mark.parametrize(
    ("free", "verdict"), [(99 << 20, "fail"), (1000 << 20, "warn"), (2 << 30, "ok")]
)
def test_a_disk_that_fills_is_reported(tmp_path: Path, free: int, verdict: str) -> None:
    """Before SQLite can write no more."""
    settings = Settings(store=StoreSettings.model_validate({"url": f"sqlite:///{tmp_path}/n.db"}))
    (found,) = record.room(settings, free=lambda _: free)
    assert found.verdict == verdict
    assert f"{free / (1 << 20):,.0f} MiB are free" in found.found


def test_postgresqls_disk_is_not_checked() -> None:
    """It is on another machine."""
    url = "postgresql+psycopg://u@h/d"
    settings = Settings(store=StoreSettings.model_validate({"url": url}))
    assert list(record.room(settings)) == []


def _policy(name: str, pattern: str, **rest: Any) -> dict[str, Any]:
    return {"vhost": "/", "name": name, "pattern": pattern, "apply-to": "queues", **rest}


def test_of_several_policies_the_one_in_force_is_judged() -> None:
    """RabbitMQ applies the policy of the highest priority, and one of the operators' beside it."""
    definitions = {
        "policies": [
            _policy("low", "bulk$", priority=1, definition={"message-ttl": 1000}),
            _policy("high", "bulk$", priority=2, definition={"max-length": 2_000_000}),
            _policy("elsewhere", ".*", vhost="other", definition={"expires": 1}),
            _policy("exchanges", ".*", definition={"expires": 1}) | {"apply-to": "exchanges"},
        ],
        "parameters": [
            {
                "vhost": "/",
                "component": "operator_policy",
                "name": "ops",
                "value": {
                    "pattern": r"^notify\.sms\.bulk$",
                    "apply-to": "queues",
                    "definition": {"max-length": 9},
                },
            }
        ],
    }
    (found,) = policies.findings(SETTINGS, definitions)
    assert found.found == "policy ops, max-length = 9 is in force instead of ours: notify.sms.bulk"
    assert found.fix == "rabbitmqctl clear_operator_policy -p / ops"


TWO = Settings.model_validate(
    {
        "channels": {"email": {"providers": ["one", "two"]}},
        "providers": {
            "one": {"use": "providers.memory:Memory", "rate": 5},
            "two": {"use": "providers.memory:Memory"},
        },
    }
)
OPEN = Circuit("one", mode=Mode.OPEN)
SHUT = Circuit("two", state=CircuitState.OPEN, open_until=100.0)
LIMIT = LimitRow("provider:one", LimitState(paused_until=60.0))
EMAIL = Hold(id=7, channel=Channel.EMAIL, lane="bulk", actor="ann", reason="", since=0.0)
OF_TWO = Hold(id=8, provider="two", actor="ann", reason="", since=0.0)


@pytest.mark.parametrize(
    ("circuits", "limits", "holds", "why"),
    [
        ([OPEN], [], [], None),
        ([OPEN, SHUT], [], [], "one: its circuit is open; two: its circuit is open"),
        ([OPEN], [], [OF_TWO], "one: its circuit is open; two: hold 8 stops it"),
        (
            [SHUT],
            [LIMIT],
            [],
            "one: its limit provider:one is used up or paused; two: its circuit is open",
        ),
        ([], [], [EMAIL], "hold 7 stops it"),
    ],
)
def test_a_queue_is_paused_where_no_provider_is_left(
    circuits: list[Circuit], limits: list[LimitRow], holds: list[Hold], why: str | None
) -> None:
    """While one of several can be called, workers consume."""
    known = {name: Circuit(name) for name in ("one", "two")}
    standing = OverridesSnapshot(
        now=10.0,
        circuits=known | {each.provider: each for each in circuits},
        holds=holds,
        limits={each.name: each for each in limits},
    )
    assert standing.pause(TWO, Channel.EMAIL, "bulk") == why
