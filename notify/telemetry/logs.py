"""
Logs: one JSON object a line (or a readable line on a terminal), never secrets or personal data.

Modules log by `structlog.get_logger()` with a dotted event name and fields. Three guards at the end
catch mistakes: fields with forbidden names are hidden, objects are shown by their type only, and
exceptions of other packages are logged without their text. Libraries' warnings and errors pass the
same guards.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from enum import Enum
from pathlib import Path
from typing import Any, Literal, TextIO, cast
from uuid import UUID

import structlog
from structlog.typing import BindableLogger, EventDict, Processor, WrappedLogger

from notify.errors import NotifyError
from notify.telemetry.log_lines import as_json, as_text, escaped
from notify.telemetry.log_stream import LogStream
from notify.telemetry.terminal import styled

_PEOPLE = {"address", "device_token", "email", "metadata", "phone", "recipient", "recipients", "to"}
_CONTENT = {"body", "content", "data", "html", "payload", "subject", "text", "title"}
_CALLS = {"args", "headers", "kwargs", "options", "params", "request", "response", "url"}
_KEYS = {"api_key", "auth_token", "authorization", "credentials", "idempotency_key", "password"}
_MORE_KEYS = {"private_key", "secret", "secrets", "service_account", "token"}
FORBIDDEN = frozenset(_PEOPLE | _CONTENT | _CALLS | _KEYS | _MORE_KEYS)
"""Names of fields whose values are never logged."""

HIDDEN = "[hidden]"
"""The replacement of a value that must not be logged."""

# Below warnings these log keys, addresses and whole bodies.
_VERBOSE = ("amqp", "google.auth", "python_http_client", "requests", "sqlalchemy", "twilio")
_VERBOSE_HTTP = ("http.client", "urllib3")

# A word, not a sentence, address, phone number or JSON: a queue, a class, a task's id.
_PLAIN_WORD = re.compile(r"[A-Za-z0-9_.:/*\[\]-]{1,80}")
_PERSONAL = re.compile(r"[@{}]|\+\d")
# A line begins with these; the other fields follow in the order of the call.
_FIRST = ("timestamp", "level", "event")
_PLAIN = frozenset({str, int, float, bool, type(None)})
_DEEPEST_CAUSE = 5
_MOST_FRAMES = 20


Level = Literal["debug", "info", "warning", "error"]
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "exception": 40, "critical": 50}


class Threshold:
    """The lowest level that is logged; it may change while loggers are in use."""

    def __init__(self, level: Level) -> None:
        self.set(level)

    def set(self, level: Level) -> None:
        """Log this level and higher ones from now on."""
        self._number = _LEVELS[level]

    def passes(self, number: int) -> bool:
        """Return whether a level, as a number, is logged."""
        return number >= self._number


def configure(
    *,
    level: Level = "info",
    format: Literal["json", "console"] = "json",  # noqa: A002 - the word of the configuration
    stream: TextIO | None = None,
) -> Threshold:
    """
    Set up logging for this process; its entry point calls it once.

    Args:
        stream: The output; stderr if None.

    Returns:
        The threshold, to change the level later.
    """
    out = stream or sys.stderr
    threshold = Threshold(level)
    render: list[Processor] = [as_json]
    if format == "console":
        render = [escaped, as_text, structlog.dev.ConsoleRenderer(colors=out.isatty())]
        out = styled(out)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _describe_exceptions,
            guard,
            *render,
        ],
        wrapper_class=_logger_above(threshold),
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, LogStream(out))),
        cache_logger_on_first_use=True,
    )
    _bridge_libraries()
    return threshold


def _logger_above(threshold: Threshold) -> type[BindableLogger]:
    """Return a logger class that reads the level at each call, since loggers are cached."""
    everything = structlog.make_filtering_bound_logger("debug")

    def filtered(method: Callable[..., Any], number: int) -> Callable[..., Any]:
        def write(self: object, event: str, *args: Any, **fields: Any) -> Any:
            return method(self, event, *args, **fields) if threshold.passes(number) else None

        return write

    def log(self: Any, number: int, event: str, *args: Any, **fields: Any) -> Any:
        passes = threshold.passes(number)
        return everything.log(self, number, event, *args, **fields) if passes else None

    methods = {name: filtered(getattr(everything, name), _LEVELS[name]) for name in _LEVELS}
    return type("Logger", (everything,), {**methods, "log": log})


def guard(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hide fields with forbidden names, and show objects by their type only."""
    safe: EventDict = {name: _safe(name, event[name]) for name in _FIRST if name in event}
    for name, value in event.items():
        if name not in safe:
            # Most values are plain, and this runs for each field of each line.
            plain = type(value) in _PLAIN and type(name) is str and name.lower() not in FORBIDDEN
            safe[name] = value if plain else _safe(name, value)
    return safe


def describe(error: BaseException) -> dict[str, Any]:
    """Return an exception's type, frames and causes; its text only if it is a `NotifyError`."""
    return _describe(error, depth=1)


def _describe(error: BaseException, *, depth: int) -> dict[str, Any]:
    described: dict[str, Any] = {"type": _type(error)}
    if isinstance(error, NotifyError):
        described["message"] = str(error)
    frames = [
        f"{frame.f_globals.get('__name__', '?')}:{line} {frame.f_code.co_name}"
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    described["frames"] = frames[-_MOST_FRAMES:]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and depth < _DEEPEST_CAUSE:
        described["cause"] = _describe(cause, depth=depth + 1)
    return described


def _type(error: BaseException) -> str:
    kind = type(error)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _describe_exceptions(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    info = event.pop("exc_info", None)
    if isinstance(info, tuple):
        info = info[1]
    elif info and not isinstance(info, BaseException):
        info = sys.exc_info()[1]
    if info:
        event["exception"] = describe(info)
    return event


def _safe(name: object, value: Any) -> Any:
    if isinstance(name, str) and name.lower() in FORBIDDEN:
        return HIDDEN
    return _shown(value)


def _shown(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Enum | UUID | date | timedelta | Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): _safe(name, each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_shown(each) for each in value]
    if isinstance(value, NotifyError):
        return f"{_type(value)}: {value}"
    if isinstance(value, BaseException):
        return _type(value)
    return f"<{type(value).__name__}>"


def _bridge_libraries() -> None:
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if isinstance(handler, _Bridge):
            root.removeHandler(handler)
    root.addHandler(_Bridge(logging.WARNING))
    root.setLevel(logging.WARNING)
    for name in (*_VERBOSE, *_VERBOSE_HTTP):
        logging.getLogger(name).setLevel(logging.WARNING)


class _Bridge(logging.Handler):
    """Passes libraries' log records to structlog, without text that might be personal."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(
            record.levelno,
            "library.message",
            library=record.name,
            said=_message(record),
            exc_info=record.exc_info,
        )


def _message(record: logging.LogRecord) -> str:
    """Return a library's message, with only plain words and numbers as its arguments."""
    template = str(record.msg)
    if not record.args:
        return HIDDEN if _PERSONAL.search(template) else template
    try:
        if isinstance(record.args, Mapping):
            return template % {name: _word(each) for name, each in record.args.items()}
        return template % tuple(_word(each) for each in record.args)
    except (TypeError, ValueError, KeyError):
        return template


def _word(value: object) -> object:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, BaseException):
        return _type(value)
    if isinstance(value, str) and _PLAIN_WORD.fullmatch(value):
        return value
    return HIDDEN
