"""Adding a provider as CONTRIBUTING.md has it: one file, one table, one line, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from notify.gateway import ConfiguredProvider, Gateway
from notify.message import Channel
from notify.settings.checks.report import check
from tests.unit.providers.dialects import ALL, MESSAGE, OVER_HTTP
from tests.unit.providers.dialects.acme import ACME

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def test_one_table_of_the_configuration_names_it(tmp_path: Path) -> None:
    """Its class, its options and its secrets are all that the configuration has to know."""
    file = tmp_path / "notify.toml"
    file.write_text(
        '[providers.acme]\nuse = "tests.support.acme:Acme"\n'
        'options = { sender = "no-reply@example.com" }\nsecrets = { api_key = "ACME_API_KEY" }\n'
        '[channels.email]\nproviders = ["acme"]\n'
    )
    report = check(file, environ={"ACME_API_KEY": "k"})
    assert (report.mistakes, report.warnings) == ([], [])


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
