"""Every check of the doctor, in the order in which they are reported."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

from notify.doctor import broker, deliverability, flow, host, plans, providers, record
from notify.doctor.finding import Finding, fail
from notify.doctor.sender_dns import SenderDns
from notify.errors import ConfigError, NotifyError
from notify.service.record import opened_record
from notify.settings import Settings
from notify.settings.checks import check
from notify.status.overrides import OverridesSnapshot


def examine(
    path: Path | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    now: Callable[[], float] = time.time,
    definitions: Mapping[str, Any] | None = None,
    ask_providers: bool = True,
    ask_dns: bool = True,
    dns: tuple[str, int] | None = None,
) -> Iterator[Finding]:
    """
    Run every check, one after the other; one that fails does not keep the others from running.

    Nothing is changed or sent, and every question has a timeout.

    Args:
        path: The configuration file; by default the one that `load` finds.
        now: This host's clock, seconds since 1970.
        definitions: The output of `rabbitmqctl export_definitions`: it shows what AMQP does not.
        ask_providers: Whether to ask vendors if they accept our keys.
        ask_dns: Whether to check the sender domains.
        dns: The address and port of a DNS server, which may know test domains; the system's
            resolver if None.
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
    snapshot = yield from _record(settings, now)
    yield from broker.findings(settings, definitions=definitions, snapshot=snapshot)
    if ask_providers:
        yield from providers.findings(settings, environ=environ)
    if ask_dns:
        resolver = SenderDns(dns)
        yield from deliverability.findings(settings, dns=resolver, test_domains=dns is not None)


def _record(
    settings: Settings, now: Callable[[], float]
) -> Generator[Finding, None, OverridesSnapshot | None]:
    try:
        with opened_record(settings, needs_tables=False) as store:
            yield from record.room(settings)
            if not (yield from record.tables(store, settings)):
                return None
            yield from record.database(store)
            yield from record.connections(store, settings)
            yield from record.keys(store)
            yield from record.clock(store, now=now)
            snapshot = OverridesSnapshot.read(store, settings)
            yield from flow.findings(snapshot)
            yield from plans.findings(store)
            return snapshot
    except ConfigError as error:
        yield fail("record", str(error), fix="correct it; notify config check")
    except NotifyError as error:
        yield fail("record", f"it failed during the checks: {error}", fix="notify doctor, again")
    return None
