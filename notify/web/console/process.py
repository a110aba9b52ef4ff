"""Running `notify web console` in the foreground, from the checks at its start to its exit."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from ipaddress import ip_address
from typing import TYPE_CHECKING

from notify.errors import ConfigError, StoreError
from notify.people import Passwords, Sessions
from notify.periodic import PeriodicThread
from notify.service.record import open_store
from notify.settings import CONSOLE, ConsoleSettings, Settings, secret_named
from notify.status.reader import StatusReader
from notify.store import Store
from notify.telemetry.metrics import catalog
from notify.web import Address, WebLimits, web_frame
from notify.web.console.application import CONNECTIONS, CONSOLE_LIMITS, console_app
from notify.web.console.checks import ConsoleChecks
from notify.web.console.origins import Origins
from notify.web.console.site import ConsoleSite
from notify.web.console.snapshot import SAMPLED, Snapshots

if TYPE_CHECKING:
    from notify.web.console.oidc import SingleSignOn

STATEMENT_TIMEOUT = 2.0
"""Seconds that a statement may take: looking must not slow the delivery."""


def run_console(
    settings: Settings, *, ready: Callable[[], None], limits: WebLimits = CONSOLE_LIMITS
) -> None:
    """
    Serve the console until SIGTERM or SIGINT, then answer the requests in flight.

    Args:
        settings: The configuration.
        ready: Called once requests are accepted.
        limits: The limits of requests.

    Raises:
        ConfigError: It would be reachable from other machines without HTTPS or without any way to
            sign in, or its port is in use.
    """
    console = settings.console
    proxy = console.proxy
    address = Address(
        "console", console.listen, console.port, socket=proxy.socket if proxy else None
    )
    with ExitStack() as opened:
        store = opened.enter_context(
            closing(
                open_store(settings, connections=CONNECTIONS, statement_timeout=STATEMENT_TIMEOUT)
            )
        )
        sessions = Sessions(store, passwords=Passwords())
        refuse_exposure(settings, sessions)
        single = _single_sign_on(console)
        frame = opened.enter_context(web_frame(CONSOLE, address))
        reader = opened.enter_context(StatusReader(settings, store=store))
        snapshots = Snapshots(reader, settings=settings, store=store)
        backends = RecordBackend(store)
        frame.metrics.watch(catalog.RECORD_UP, lambda: [((), float(backends.record_up))])
        health = frame.health(backends)
        frame.serve(
            console_app(
                ConsoleSite(settings, store, snapshots, ConsoleChecks.of(settings)),
                sessions,
                port=frame.port,
                single=single,
                limits=limits,
            ),
            health=health,
            settings=settings,
            limits=limits,
            components=[PeriodicThread("snapshots", snapshots.sample, period=SAMPLED)],
            ready=ready,
        )


def refuse_exposure(settings: Settings, sessions: Sessions) -> None:
    """
    Check that a console beyond this machine is protected.

    Raises:
        ConfigError: It is not; the text says what to set.
    """
    console = settings.console
    loopback = ip_address(console.listen).is_loopback
    if console.proxy is not None:
        if console.public_url is None:
            raise ConfigError(
                "console.public_url: a console behind console.proxy needs the address in the"
                " operators' browsers; set it"
            )
        return
    if loopback and console.public_url is None:
        return
    if not (console.public_url or "").startswith("https://"):
        raise ConfigError(
            "console.public_url: a console beyond this machine needs an address that begins with"
            " https://, since passwords and sessions are readable otherwise; set it, or listen on"
            " 127.0.0.1"
        )
    if console.oidc is None and not sessions.any_local_user():
        raise ConfigError(
            "console: no one could sign in, and the console has no mode without: run `notify user"
            " add`, or set [console.oidc]"
        )


def _single_sign_on(console: ConsoleSettings) -> SingleSignOn | None:
    if console.oidc is None or console.proxy is not None:
        return None
    try:
        from notify.web.console.oidc import CALLBACK, SingleSignOn
    except ImportError:
        raise ConfigError(
            "console.oidc: its libraries are missing: pip install 'notify-service[oidc]'"
        ) from None
    origin = Origins.of(console, port=console.port).public
    secret = secret_named(console.oidc.client_secret, option="console.oidc.client_secret")
    return SingleSignOn(
        console.oidc, secret=secret.get_secret_value(), callback=f"{origin}{CALLBACK}"
    )


class RecordBackend:
    """Checks that the record answers. Pages work without the broker, and show that it is away."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.record_up = False

    def check(self) -> None:
        """Read from the record once."""
        try:
            self._store.fits()
        except StoreError:
            self.record_up = False
        else:
            self.record_up = True

    def trouble(self) -> str | None:
        """Return `record_away` while pages cannot be shown."""
        return None if self.record_up else "record_away"

    def remark(self) -> str | None:
        """Return None: there is no other backend."""
        return None

    def summary(self) -> str:
        """Return what `systemctl status` shows."""
        return "serving the console"
