"""Reading the configuration again while the worker runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

import structlog

from notify.errors import ConfigError
from notify.settings import Settings
from notify.settings.reloading import after_reload, changed_keys

log = structlog.get_logger("notify.reload")


class Reload:
    """
    Puts a changed configuration into force, in a thread of its own, as far as no restart is needed.

    If it has a mistake, the previous configuration stays in force.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        read: Callable[[], Settings],
        change: Callable[[Settings], None],
        begun: Callable[[], None],
        ended: Callable[[bool], None],
    ) -> None:
        """
        Prepare the thread; `start` starts it.

        Args:
            settings: The settings in force.
            read: Reads the configuration; raises `ConfigError` with every mistake.
            change: Puts settings into force; raises `ConfigError` if it could not.
            begun: Called when a reload begins.
            ended: Called when it ends, with whether it succeeded.
        """
        self._settings = settings
        self._read = read
        self._change = change
        self._begun = begun
        self._ended = ended
        # Safe in a signal's handler: a lock might be held by the thread that it interrupts.
        self._requests: SimpleQueue[bool] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="reload", daemon=True)

    def request(self) -> None:
        """Request a reload; may be called in a signal's handler."""
        self._requests.put(True)

    def start(self) -> None:
        """Start the thread, which waits for requests."""
        self._thread.start()

    def stop(self, *, timeout: float) -> None:
        """Finish a reload that is running, waiting *timeout* seconds at most."""
        self._requests.put(False)
        self._thread.join(timeout)

    def _run(self) -> None:
        while self._requests.get():
            self._begun()
            worked = False
            try:
                self._reload()
                worked = True
            except ConfigError as error:
                log.error("notify.reload_refused", reason=str(error))
            except Exception as error:
                # Without this thread, later changes would silently wait for a restart.
                log.error("notify.reload_fault", exc_info=error)
            finally:
                self._ended(worked)

    def _reload(self) -> None:
        wanted = self._read()
        settings = after_reload(self._settings, wanted)
        self._change(settings)
        changed = changed_keys(self._settings, settings)
        self._settings = settings
        log.info("notify.reloaded", changed=changed)
        if waiting := changed_keys(settings, wanted):
            log.warning("notify.reload_needs_restart", keys=waiting)
