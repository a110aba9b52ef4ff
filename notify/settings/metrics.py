"""Where each worker process serves its metrics."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Annotated

from pydantic import AfterValidator, Field

from notify.message import Channel
from notify.settings.words import DEAD_POOL, RECEIPTS_POOL, Section

_FIRST_PORT = 9400

WEB = "web"
"""The name under which `notify web receipts` serves its metrics."""

API = "api"
"""The name under which `notify web api` serves its metrics."""

CONSOLE = "console"
"""The name under which `notify web console` serves its metrics."""

PORTS: Mapping[str, int] = {
    pool: _FIRST_PORT + 10 * number
    for number, pool in enumerate(
        [DEAD_POOL, *(channel.value for channel in Channel), RECEIPTS_POOL, WEB, API, CONSOLE]
    )
}
"""The default port of each default pool: 9400 for `dead`, 9410 for `email`, and so on."""


def address(text: str) -> str:
    """Return an IP address of this machine to listen on; else raise ValueError with the fix."""
    try:
        return str(ip_address(text))
    except ValueError:
        raise ValueError(
            "must be an IP address of this machine, such as 127.0.0.1; 0.0.0.0 for all of them"
        ) from None


def _added(ports: dict[str, int]) -> dict[str, int]:
    return {**PORTS, **ports}


Port = Annotated[int, Field(ge=0, le=65_535)]


class MetricsSettings(Section):
    """Whether and where a worker serves /metrics, /livez and /readyz."""

    enabled: bool = True
    listen: Annotated[str, AfterValidator(address)] = "127.0.0.1"
    ports: Annotated[dict[str, Port], AfterValidator(_added)] = Field(
        default_factory=lambda: dict(PORTS)
    )

    def port(self, pool: str, number: int) -> int | None:
        """
        Return the port of a pool's process; None if it serves no metrics.

        Args:
            number: The number of the process among the pool's on this machine, from 1.
        """
        first = self.ports.get(pool, 0) if self.enabled else 0
        port = first + number - 1
        return port if first and port <= 65_535 else None
