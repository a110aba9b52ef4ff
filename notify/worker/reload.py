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
    Applies a changed configuration, in its own thread, except for options that need a restart.

    If the new configuration has a mistake, the previous one stays in force.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        read: Callable[[], Settings],
        change: Callable[[Settings], None],
        started: Callable[[], None],
        finished: Callable[[bool], None],
    ) -> None:
        """
        Prepare the thread; `start` starts it.

        Args:
            settings: The settings in force.
            read: Reads the configuration; raises `ConfigError` with every mistake.
            change: Applies settings; raises `ConfigError` if it cannot.
            started: Called when a reload starts.
            finished: Called when it has finished, with whether it succeeded.
        """
        self._settings = settings
        self._read = read
        self._change = change
        self._started = started
        self._finished = finished
        # Safe in a signal handler, unlike a lock, which the interrupted thread might hold.
        self._requests: SimpleQueue[bool] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="reload", daemon=True)

    def request(self) -> None:
        """Request a reload; may be called in a signal handler."""
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
            self._started()
            worked = False
            try:
                self._reload()
                worked = True
            except ConfigError as error:
                log.error("notify.reload_refused", reason=str(error))
            except Exception as error:
                # The thread must survive: without it, later changes silently wait for a restart.
                log.error("notify.reload_fault", exc_info=error)
            finally:
                self._finished(worked)

    def _reload(self) -> None:
        wanted = self._read()
        settings = after_reload(self._settings, wanted)
        self._change(settings)
        changed = changed_keys(self._settings, settings)
        self._settings = settings
        log.info("notify.reloaded", changed=changed)
        if waiting := changed_keys(settings, wanted):
            log.warning("notify.reload_needs_restart", keys=waiting)
