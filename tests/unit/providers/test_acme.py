"""The example of a custom provider: one file, one table, one line, and nothing else."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from notify.gateway import ConfiguredProvider, Gateway
from notify.message import Channel
from notify.service.gateway import open_gateway
from notify.settings import load
from notify.settings.checks.report import check
from tests.support.vendor import Vendor
from tests.unit.providers.dialects import ALL, MESSAGE, OVER_HTTP
from tests.unit.providers.dialects.acme import ACME

EXAMPLE = Path(__file__).parents[3] / "examples/custom_provider"
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def test_one_table_of_the_configuration_names_it() -> None:
    """Its class, its options and its secrets are all that the configuration has to know."""
    report = check(EXAMPLE / "notify.toml", environ={"ACME_API_KEY": "k"})
    assert (report.mistakes, report.warnings) == ([], [])


def test_the_example_sends_as_it_is_configured(vendor: Vendor, tmp_path: Path) -> None:
    """The service builds it from its table, and a message reaches the vendor with our ids."""
    file = tmp_path / "notify.toml"
    text = (EXAMPLE / "notify.toml").read_text()
    options = f'sender = "no-reply@example.com", base_url = "{vendor.url}"'
    file.write_text(text.replace('sender = "no-reply@example.com"', options))
    vendor.on("/messages", ACME.words["accepted"]({}))
    environ = {"ACME_API_KEY": "k"}
    gateway = open_gateway(load(file, environ=environ), Channel.EMAIL, environ=environ)
    assert gateway.providers[0].send(MESSAGE).provider_id == "id-1"
    assert json.loads(vendor.seen[0].body)["reference"].endswith(str(MESSAGE.attempt_id))
    gateway.close()


def test_what_it_does_not_offer_is_not_asked_of_it() -> None:
    """channel, send and close are enough; a lost answer is then not looked up."""
    gateway = Gateway(Channel.EMAIL, [ConfiguredProvider("acme", ACME.make())])
    assert not gateway.can_find
    with pytest.raises(NotImplementedError, match="acme cannot be asked"):
        gateway.providers[0].find(MESSAGE, since=NOW, until=NOW)
    gateway.close()


def test_each_provider_keeps_the_contract() -> None:
    """The line that is easy to forget: what is shipped has its dialect in the table."""
    folder = Path(__file__).parents[3] / "providers"
    shipped = {each.stem for each in folder.glob("[a-z]*") if (each / "__init__.py").exists()}
    shipped |= {each.stem for each in folder.glob("[a-z]*.py")}
    assert shipped <= {dialect.name for dialect in ALL}
    assert all(dialect.words.keys() == ACME.words.keys() for dialect in OVER_HTTP)
