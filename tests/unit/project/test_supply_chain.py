"""The bill of materials, and the audit of known vulnerabilities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scripts import audit, sbom

LOCK = f"""
jinja2==3.1.6 \\
    --hash=sha256:{"a" * 64} \\
    --hash=sha256:{"b" * 64}
    # via notify-service (pyproject.toml)
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:{"c" * 64}
    # via click
"""


def test_the_bill_names_each_package_with_its_hashes() -> None:
    """It omits packages for other systems; the same lock makes the same bill."""
    bill = sbom.bill(LOCK, version="1.0.0")
    assert [part["purl"] for part in bill["components"]] == ["pkg:pypi/jinja2@3.1.6"]
    assert [each["content"][0] for each in bill["components"][0]["hashes"]] == ["a", "b"]
    assert bill == sbom.bill(LOCK, version="1.0.0")


def test_the_bill_of_the_real_lock_holds_what_the_service_names() -> None:
    """Each is there with its version and at least one hash."""
    bill = sbom.bill(Path("requirements.lock").read_text(), version="1.0.0")
    found = {part["name"]: part for part in bill["components"]}
    assert {"celery", "kombu", "amqp", "sqlalchemy", "jinja2", "pydantic"} <= found.keys()
    assert all(part["version"] and part["hashes"] for part in found.values())


@pytest.mark.parametrize(
    ("dependencies", "code", "words"),
    [
        ([{"name": "a", "version": "1", "vulns": []}], 0, "0 known vulnerabilities in 1"),
        (
            [{"name": "a", "version": "1", "vulns": [{"id": "X-1", "fix_versions": ["2"]}]}],
            1,
            "a 1: X-1, mended in 2",
        ),
    ],
)
def test_an_audit_fails_for_what_is_known(
    capsys: pytest.CaptureFixture[str], dependencies: list[Any], code: int, words: str
) -> None:
    """Even if the audit was optional."""
    for optional in (False, True):
        assert audit.verdict({"dependencies": dependencies}, optional=optional) == code
        assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    "dependencies",
    [
        [],
        [{"name": "b", "skip_reason": "not found"}],
        [{"name": "a", "version": "1", "vulns": []}, {"name": "b", "skip_reason": "not found"}],
    ],
)
def test_an_audit_that_could_not_ask_fails_unless_told_otherwise(
    capsys: pytest.CaptureFixture[str], dependencies: list[Any]
) -> None:
    """No answer is not a pass; the omitted check is named, with the way to build without it."""
    assert audit.verdict({"dependencies": dependencies}, optional=False) == 1
    told = capsys.readouterr().err
    assert "NOT DONE: PyPI gives no advisories" in told
    assert "AUDIT=optional" in told
    assert audit.verdict({"dependencies": dependencies}, optional=True) == 0
    assert "NOT DONE" in capsys.readouterr().err
