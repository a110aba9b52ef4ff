"""The doctor: what is wrong with an installation, each finding with the command that ends it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

from notify.doctor import broker, host, providers, record, standing
from notify.doctor.finding import Finding, Severity, fail
from notify.doctor.standing import OverridesSnapshot
from notify.errors import ConfigError, NotifyError
from notify.service import opened_record
from notify.settings import Settings
from notify.settings.checks.check import check

__all__ = ["Finding", "Severity", "examine"]


def examine(
    path: Path | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    now: Callable[[], float] = time.time,
    definitions: Mapping[str, Any] | None = None,
    ask_providers: bool = True,
) -> Iterator[Finding]:
    """
    Look at everything, one check after the other; what is away does not keep the others from it.

    It changes nothing, sends nothing, and each question is bounded in time.

    Args:
        path: The configuration; by default where `load` looks.
        now: This host's clock, seconds since 1970.
        definitions: What `rabbitmqctl export_definitions` wrote: it tells what AMQP does not.
        ask_providers: Whether vendors are asked about our keys.
    """
    try:
        report = check(path, environ=environ)
    except ConfigError as error:
        yield fail("configuration", str(error), fix="correct it; notify config check")
        return
    yield from host.configuration(report)
    yield from host.credentials(report)
    settings = report.settings
    if settings is None:
        return
    yield from host.driver(settings)
    yield from host.templates(settings)
    stands = yield from _record(settings, now)
    yield from broker.findings(settings, definitions=definitions, standing=stands)
    if ask_providers:
        yield from providers.findings(settings, environ=environ)


def _record(
    settings: Settings, now: Callable[[], float]
) -> Generator[Finding, None, OverridesSnapshot | None]:
    try:
        with opened_record(settings, needs_tables=False) as store:
            yield from record.room(settings)
            if not (yield from record.tables(store, settings)):
                return None
            yield from record.database(store)
            yield from record.keys(store)
            yield from record.clock(store, now=now)
            snapshot = OverridesSnapshot.read(store, settings)
            yield from standing.findings(snapshot)
            return snapshot
    except ConfigError as error:
        yield fail("record", str(error), fix="correct it; notify config check")
    except NotifyError as error:
        yield fail("record", f"it failed during the checks: {error}", fix="notify doctor, again")
    return None
