"""Checks of this host alone: configuration, secrets, libraries, templates."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterator, Mapping

from kombu import Connection

from notify.doctor.finding import Finding, fail, ok, warn
from notify.errors import ConfigError
from notify.service.contract import open_templates
from notify.settings import Settings
from notify.settings.checks import ConfigReport

DRIVER = "py-amqp"
RELEASES: Mapping[str, tuple[int, int, int]] = {
    "celery": (5, 7, 0),
    "kombu": (5, 7, 0),
    "amqp": (5, 4, 2),
}
"""
The oldest supported release of the one supported minor version of each: Celery 5.6 consumes at a
twentieth of the rate, and py-amqp 5.3 waits for ever for a confirm after an error.
"""


def configuration(report: ConfigReport) -> Iterator[Finding]:
    """Report every mistake and doubt that `notify config check` finds."""
    place = report.file or "no file"
    for mistake in report.mistakes:
        yield fail("configuration", str(mistake), fix=f"correct it ({place}); notify config check")
    for doubt in report.doubts:
        yield warn("configuration", str(doubt), fix=f"check it ({place}); notify config show")
    if not report.mistakes and not report.doubts:
        yield ok("configuration", f"valid ({place})")


def credentials(report: ConfigReport) -> Iterator[Finding]:
    """Report the secrets that other users may read."""
    for exposure in report.exposures:
        yield fail("credentials", str(exposure.finding), fix=exposure.command)
    if not report.exposures:
        yield ok("credentials", "no other user may read them")


def driver(
    settings: Settings, *, version: Callable[[str], str] = importlib.metadata.version
) -> Iterator[Finding]:
    """Check that the AMQP library is the one that confirms, and the releases of the libraries."""
    name = Connection(settings.amqp.url.get_secret_value()).transport.driver_name
    if name != DRIVER:
        yield fail("driver", f"{name} connects to the broker", fix="amqp.url: write pyamqp://")
    wrong = False
    found = {library: version(library) for library in RELEASES}
    for library, oldest in RELEASES.items():
        wanted = f"{'.'.join(map(str, oldest))} or later of {oldest[0]}.{oldest[1]}"
        if not oldest <= _numbers(found[library]) < (*oldest[:1], oldest[1] + 1, 0):
            wrong = True
            asked = f"{library}~={'.'.join(map(str, oldest))}"
            text = f"{library} {found[library]} is installed, and {wanted} is needed"
            yield fail("driver", text, fix=f"pip install '{asked}'")
    if name == DRIVER and not wrong:
        yield ok("driver", f"{name} {found['amqp']} by pyamqp://, celery {found['celery']}")


def templates(settings: Settings) -> Iterator[Finding]:
    """Report every template with a fault, used or not."""
    try:
        found = open_templates(settings)
    except ConfigError as error:
        yield fail("templates", str(error), fix="create the folder, or correct templates.folder")
        return
    problems = found.problems()
    for problem in problems:
        yield fail("templates", problem, fix="correct the file; notify template ls")
    if not problems:
        yield ok("templates", f"{len(found.names())} compile")


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.split(".")[:3]
    return tuple(int(part) if part.isdecimal() else 0 for part in parts)
