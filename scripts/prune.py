"""
Remove the modules from an environment that the service never imports.

    python scripts/prune.py /opt/notify/lib/python3.11/site-packages

The libraries' lists of files (RECORD) are updated.
"""

from __future__ import annotations

import csv
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

UNUSED: Mapping[str, frozenset[str]] = {
    # The provider uses only Twilio's Programmable Messaging, which is a part of `api`.
    "twilio/rest/*": frozenset({"__init__.py", "api"}),
    "twilio/twiml": frozenset(),
    # A number's town, carrier and time zone are not used, nor are their modules.
    "phonenumbers/geodata": frozenset(),
    "phonenumbers/carrierdata": frozenset(),
    "phonenumbers/tzdata": frozenset(),
    "phonenumbers/geocoder.py": frozenset(),
    "phonenumbers/carrier.py": frozenset(),
    "phonenumbers/timezone.py": frozenset(),
    # Tests, and helpers for tests. SendGrid's are in a package named `test`.
    "test": frozenset(),
    "certifi/tests": frozenset(),
    "alembic/testing": frozenset(),
    "celery/contrib/testing": frozenset(),
    "sqlalchemy/testing": frozenset(),
}
"""Patterns within site-packages, each with the names that stay."""


def unused(site: Path) -> Iterator[Path]:
    """
    Yield the files and folders that are never imported.

    Raises:
        FileNotFoundError: A pattern matches nothing: the library has changed, so check it.
    """
    for pattern, kept in UNUSED.items():
        found = [path for path in sorted(site.glob(pattern)) if path.name not in kept]
        if not found:
            raise FileNotFoundError(f"{pattern} matches nothing in {site}")
        yield from found


def prune(site: Path) -> None:
    """Remove them, and their lines in each RECORD."""
    for path in unused(site):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for record in site.glob("*.dist-info/RECORD"):
        with record.open(newline="") as file:
            rows = [row for row in csv.reader(file) if (site / row[0]).exists()]
        with record.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)


if __name__ == "__main__":
    prune(Path(sys.argv[1]))
