"""The copy of the checkout that runs in a container of another Debian."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.debian.checkout import Checkout
from tests.debian.image import ROOT, SUITES


def test_a_copy_holds_what_git_knows_and_nothing_that_was_made_in_it(tmp_path: Path) -> None:
    """Its environment stays: `make` updates it, and creating it takes minutes."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is such a copy itself")
    checkout = Checkout(tmp_path)
    for made in (".venv/bin/python", "dist/notify.deb", "notify/deleted_since.py", "Makefile"):
        (checkout.folder / made).parent.mkdir(parents=True, exist_ok=True)
        (checkout.folder / made).write_text("made")
    checkout.renew()
    assert (checkout.folder / ".venv/bin/python").read_text() == "made"
    assert (checkout.folder / "Makefile").read_bytes() == (ROOT / "Makefile").read_bytes()
    assert (checkout.folder / "scripts/require-debian.sh").stat().st_mode & 0o100
    left = {path.relative_to(checkout.folder) for path in checkout.folder.rglob("*")}
    assert not left & {Path("dist"), Path(".git"), Path("notify/deleted_since.py")}


def test_every_supported_release_is_named_where_people_look() -> None:
    """In the README, and with its Python in the package's classifiers."""
    readme, project = (ROOT / "README.md").read_text(), (ROOT / "pyproject.toml").read_text()
    assert f"Debian {' or '.join(SUITES)}" in readme
    for python in ("3.11", "3.12", "3.13"):
        assert f"Programming Language :: Python :: {python}" in project
