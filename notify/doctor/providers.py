"""Check that the providers accept our keys. Nothing is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from notify.doctor.finding import Finding, fail, ok, unchecked, warn
from notify.errors import ConfigError, ProviderError, Unauthorized
from notify.gateway import ConfiguredProvider
from notify.provider import Checkable
from notify.service.gateway import open_gateway
from notify.settings import Settings


def findings(settings: Settings, *, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Check each provider of each channel."""
    for channel in settings.channels:
        try:
            gateway = open_gateway(settings, channel, environ=environ)
        except ConfigError as error:
            yield fail("providers", str(error), fix="notify config check")
            continue
        try:
            for line in gateway.providers:
                yield _checked(settings, line)
        finally:
            gateway.close()


def _checked(settings: Settings, line: ConfiguredProvider) -> Finding:
    provider, secrets = line.provider, ", ".join(settings.providers[line.name].secrets.values())
    if not isinstance(provider, Checkable):
        fix = f"notify send {provider.channel}.normal.doctor --to yourself"
        return unchecked("providers", f"{line.name} cannot be checked without sending", fix=fix)
    try:
        provider.check()
    except Unauthorized as error:
        return fail("providers", f"{line.name}: {error}", fix=f"renew {secrets or 'its account'}")
    except ProviderError as error:
        fix = "check the network to it and its status page, then notify doctor"
        return warn("providers", f"{line.name}: {error}", fix=fix)
    return ok("providers", f"{line.name} accepts our key")
