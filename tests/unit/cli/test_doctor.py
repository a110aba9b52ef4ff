"""`notify doctor`: the options for the DNS."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from notify.cli.doctor import doctor


@pytest.mark.parametrize(
    ("given", "server"),
    [
        ("1.1.1.1", ("1.1.1.1", 53)),
        ("127.0.0.1:5353", ("127.0.0.1", 5353)),
        ("::1", ("::1", 53)),
        ("[::1]:5353", ("::1", 5353)),
    ],
)
def test_a_dns_server_is_an_address_with_or_without_a_port(
    monkeypatch: pytest.MonkeyPatch, given: str, server: tuple[str, int]
) -> None:
    """Of both families."""
    asked: list[dict[str, Any]] = []

    def examine(**options: Any) -> list[Any]:
        asked.append(options)
        return []

    monkeypatch.setattr("notify.cli.doctor.examine", examine)
    assert CliRunner().invoke(doctor, ["--dns", given]).exit_code == 0
    assert CliRunner().invoke(doctor, ["--skip-dns"]).exit_code == 0
    assert [each["dns"] for each in asked] == [server, None]
    assert [each["ask_dns"] for each in asked] == [True, False]


@pytest.mark.parametrize("given", ["dns.example.com", "1.1.1.1:dns", "1.1.1", ""])
def test_a_name_is_not_a_server(given: str) -> None:
    """To resolve it, another server would be needed."""
    result = CliRunner().invoke(doctor, ["--dns", given])
    assert result.exit_code == 2
    assert "write an IP address" in result.output
